package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/pelletier/go-toml/v2"

	"github.com/meshsec/meshsec/attest"
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
	Ethereum    *EthereumSpec     `toml:"ethereum,omitempty" json:"ethereum,omitempty"` // nil: the home chain is no beacon chain
	Params      Params            `toml:"params" json:"params"`
	Authority   Authority         `toml:"authority" json:"authority"`
	Peers       []*PeerSpec       `toml:"peers" json:"peers"`           // how stake of each other chain counts here, sorted
	Accounts    []*GenesisAccount `toml:"accounts" json:"accounts"`     // sorted by id
	Validators  []*Candidate      `toml:"validators" json:"validators"` // sorted by key
}

// Authority signs what the home chain itself would say if it knew of the mesh
// (DESIGN §3.3): deposits, parameters, peers that are trusted anew, what leaves the
// escrow. Threshold of Keys must sign.
type Authority struct {
	Threshold uint64      `toml:"threshold" json:"threshold"`
	Keys      []AccountID `toml:"keys" json:"keys"` // ed25519, sorted
}

// PeerSpec says how stake that a peer pledges becomes power here at genesis (DESIGN
// §3.4); the authority may change it, see [SetPeer].
type PeerSpec struct {
	Chain    string `toml:"chain" json:"chain"`
	Price    Ratio  `toml:"price" json:"price"`       // base units here for one base unit there
	Discount Ratio  `toml:"discount" json:"discount"` // taken off the price, below 1
	Cap      Ratio  `toml:"cap" json:"cap"`           // largest virtual stake of this provider, as a share of the own stake here
}

// terms are those of the record.
func (p *PeerSpec) terms() *Terms { return &Terms{Price: p.Price, Discount: p.Discount, Cap: p.Cap} }

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
	Validator AccountID `toml:"validator" json:"validator"` // account on the consumer chain, zero: the backstop
	Amount    Amount    `toml:"amount" json:"amount"`
	Ratio     Ratio     `toml:"ratio" json:"ratio"`
	Accepts   Amount    `toml:"accepts" json:"accepts"` // of the backstop: the largest covered value that it stands for
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

// MaxManifest bounds a manifest's file, in bytes: enough for tens of thousands of
// validators.
const MaxManifest = 64 << 20

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
// without the registration signatures. A chain without an Ethereum section has no such field.
func (m *Manifest) ID() [32]byte {
	c := *m
	c.Chains = copied(m.Chains, func(s *ChainSpec) {
		s.Authority.Keys = append([]AccountID{}, s.Authority.Keys...)
		s.Ethereum = s.Ethereum.canonical()
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

// Law is what fault proofs of the network are judged by.
func (m *Manifest) Law() attest.Law { return newLaw(m) }

type law struct {
	manifest *Manifest
	network  attest.Network
	chains   []string // sorted
	genesis  genesisRoots
	depth    int   // of a step that is run again for a proof: in how many proofs it lies
	tooDeep  *bool // set once that is too many, shared by all depths; nil at depth 0
}

func newLaw(m *Manifest) law {
	return law{manifest: m, network: m.ID(), chains: m.ChainIDs(), genesis: newGenesisRoots(m)}
}

// Network implements [attest.Law].
func (l law) Network() attest.Network { return l.network }

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

// Misplaced reports whether an accusation names another epoch than the one that its
// height belongs to, on a chain of the network.
func (m *Manifest) Misplaced(a attest.Accusation) bool {
	spec := m.Chain(a.ChainID)
	return spec != nil && a.Height != 0 && spec.EpochOf(a.Height) != a.Epoch
}

// EpochOf is the epoch that a block at a height, above 0, belongs to.
func (s *ChainSpec) EpochOf(height uint64) uint64 { return (height-1)/s.EpochBlocks + 1 }

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
