package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Manifest is what the peer chains agreed on (DESIGN §1). Its id is in every
// topic name, protocol id and signing domain. It is written in TOML.
type Manifest struct {
	Name    string       `toml:"name" json:"name"`                 // free text
	Genesis uint64       `toml:"genesis_time" json:"genesis_time"` // Unix milliseconds
	Chains  []*ChainSpec `toml:"chains" json:"chains"`             // sorted by id
}

// ChainSpec is one chain of the network with its genesis ledger.
type ChainSpec struct {
	ID          string            `toml:"id" json:"id"`
	EpochBlocks uint64            `toml:"epoch_blocks" json:"epoch_blocks"`
	Params      Params            `toml:"params" json:"params"`
	Authority   Authority         `toml:"authority" json:"authority"`
	Peers       []*PeerSpec       `toml:"peers" json:"peers"`           // how stake of each other chain counts here, sorted
	Accounts    []*GenesisAccount `toml:"accounts" json:"accounts"`     // sorted by id
	Validators  []*Candidate      `toml:"validators" json:"validators"` // sorted by key
}

// Params are a chain's rules. Windows in time pass when this chain's own block
// time has moved by them.
type Params struct {
	ChallengeWindow   Window   `toml:"challenge_window" json:"challenge_window"`     // from acceptance to finality, and from a proof to its slash
	StatementExpiry   Duration `toml:"statement_expiry" json:"statement_expiry"`     // how long an imported statement gives power
	EvidenceAge       Duration `toml:"evidence_age" json:"evidence_age"`             // how long an offence can be punished
	Unbonding         Window   `toml:"unbonding" json:"unbonding"`                   // how long released stake stays slashable
	CorrelationEpochs uint64   `toml:"correlation_epochs" json:"correlation_epochs"` // offences this near to each other add up
	DoubleVotePenalty Ratio    `toml:"double_vote_penalty" json:"double_vote_penalty"`
	ReporterReward    Ratio    `toml:"reporter_reward" json:"reporter_reward"` // share of what the offender's own stake lost; at most 0.05
	MaxDrift          Duration `toml:"max_drift" json:"max_drift"`             // how far a peer's clock may be ahead of ours
	MinLien           Amount   `toml:"min_lien" json:"min_lien"`               // smallest part of a lien
}

// Window has passed when both have: so many epochs and so much time.
type Window struct {
	Epochs uint64   `toml:"epochs" json:"epochs"`
	Time   Duration `toml:"time" json:"time"`
}

// Passed reports whether w lies between (epoch0, time0) and (epoch, time).
func (w Window) Passed(epoch0, time0, epoch, time uint64) bool {
	return epoch >= epoch0 && epoch-epoch0 >= w.Epochs && time >= time0 && time-time0 >= uint64(w.Time)
}

// Authority signs what the home chain itself would say if it knew of the mesh
// (DESIGN §3.3): so far, deposits. Threshold of Keys must sign.
type Authority struct {
	Threshold uint64      `toml:"threshold" json:"threshold"`
	Keys      []AccountID `toml:"keys" json:"keys"` // ed25519, sorted
}

// PeerSpec says how stake that a peer pledges becomes power here (DESIGN §3.4).
type PeerSpec struct {
	Chain    string `toml:"chain" json:"chain"`
	Price    Ratio  `toml:"price" json:"price"`       // base units here for one base unit there
	Discount Ratio  `toml:"discount" json:"discount"` // taken off the price, below 1
	Cap      Ratio  `toml:"cap" json:"cap"`           // largest virtual stake of this provider, as a share of the own stake here
}

// GenesisAccount is an account at genesis.
type GenesisAccount struct {
	ID         AccountID      `toml:"id" json:"id"`
	Collateral Amount         `toml:"collateral" json:"collateral"`
	Liens      []*GenesisLien `toml:"liens" json:"liens"` // sorted by consumer, then validator
}

// GenesisLien is one part of a lien at genesis. Several parts to one consumer
// have one ratio.
type GenesisLien struct {
	Consumer  string    `toml:"consumer" json:"consumer"`
	Validator AccountID `toml:"validator" json:"validator"` // account on the consumer chain
	Amount    Amount    `toml:"amount" json:"amount"`
	Ratio     Ratio     `toml:"ratio" json:"ratio"`
}

// Candidate is a validator at genesis with its binding (DESIGN §2). The two
// signatures are not part of the network id, which they sign.
type Candidate struct {
	Account            AccountID `toml:"account" json:"account"`
	Key                HexBytes  `toml:"key" json:"key"`
	ConsensusKeyType   uint8     `toml:"consensus_key_type" json:"consensus_key_type"`
	ConsensusKey       HexBytes  `toml:"consensus_key" json:"consensus_key"`
	Possession         HexBytes  `toml:"possession" json:"possession,omitempty"`
	ConsensusSignature HexBytes  `toml:"consensus_signature" json:"consensus_signature,omitempty"`
}

// Duration is a time span in milliseconds. As text it is Go's form, such as 24h.
type Duration uint64

// Span converts d.
func (d Duration) Span() time.Duration { return time.Duration(d) * time.Millisecond }

// MarshalText is Go's form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.Span().String()), nil }

// UnmarshalText reads Go's form; whole milliseconds, not negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 || v%time.Millisecond != 0 {
		return fmt.Errorf("%q is not a duration such as 90s or 24h", b)
	}
	*d = Duration(v / time.Millisecond)
	return nil
}

// ParseManifest reads a manifest in TOML; an unknown key is an error. It does not
// check the registration signatures: see [Manifest.Validate].
func ParseManifest(b []byte) (*Manifest, error) {
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", explainTOML(err))
	}
	return m, nil
}

// explainTOML names the key that a strict decoder did not know.
func explainTOML(err error) error {
	if strict, ok := err.(*toml.StrictMissingError); ok && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("unknown key %q in line %d", toKey(strict.Errors[0].Key()), row)
	}
	return err
}

func toKey(k toml.Key) string {
	s := ""
	for i, part := range k {
		if i > 0 {
			s += "."
		}
		s += part
	}
	return s
}

// Encode writes m in TOML.
func (m *Manifest) Encode() ([]byte, error) { return toml.Marshal(m) }

// ID is the network id: SHA-256 of the canonical manifest, which is the JSON of
// its fields in the order of their declaration, a missing list being an empty one,
// without the registration signatures.
func (m *Manifest) ID() [32]byte {
	c := *m
	c.Chains = copied(m.Chains, func(s *ChainSpec) {
		s.Authority.Keys = append([]AccountID{}, s.Authority.Keys...)
		s.Peers = copied(s.Peers, func(*PeerSpec) {})
		s.Accounts = copied(s.Accounts, func(a *GenesisAccount) { a.Liens = copied(a.Liens, func(*GenesisLien) {}) })
		s.Validators = copied(s.Validators, func(v *Candidate) { v.Possession, v.ConsensusSignature = nil, nil })
	})
	b, err := json.Marshal(&c)
	if err != nil {
		panic(fmt.Sprintf("ledger: a manifest has no JSON form: %v", err)) // no field can fail to marshal
	}
	return sha256.Sum256(b)
}

// copied is a list of changed copies, never nil.
func copied[T any](list []*T, change func(*T)) []*T {
	out := make([]*T, len(list))
	for i, x := range list {
		c := *x
		change(&c)
		out[i] = &c
	}
	return out
}

// Chain finds a chain's specification, nil if the network has none of that id.
func (m *Manifest) Chain(id string) *ChainSpec {
	for _, c := range m.Chains {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// ChainIDs are the ids of all chains, sorted.
func (m *Manifest) ChainIDs() []string {
	ids := make([]string, len(m.Chains))
	for i, c := range m.Chains {
		ids[i] = c.ID
	}
	return ids
}

// Peer finds how another chain's stake counts here, nil if it does not.
func (s *ChainSpec) Peer(chain string) *PeerSpec {
	for _, p := range s.Peers {
		if p.Chain == chain {
			return p
		}
	}
	return nil
}

var chainID = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,50}$`)
