package api

import "github.com/meshsec/meshsec/store/ledger"

// Status is what GET /v1/status answers: one node at one moment.
type Status struct {
	Version string `json:"version"`
	Network string `json:"network"` // hex
	Name    string `json:"name"`
	Chain   string `json:"chain"` // the home chain
	// Ready: the store is open, peers are connected, and every ledger has
	// followed its chain to within an epoch of the newest certificate known.
	// Reason says what is missing.
	Ready     bool                     `json:"ready"`
	Reason    string                   `json:"reason,omitempty"`
	Validator *Validator               `json:"validator,omitempty"` // nil on a node that only follows
	Home      Home                     `json:"home"`
	Peers     int                      `json:"peers"`
	Ledgers   map[string]LedgerSummary `json:"ledgers"`
	// Diverged is empty, or says where this node's result differs from a
	// certified one. Such a node has stopped attesting.
	Diverged string   `json:"diverged,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Validator is the node's own key.
type Validator struct {
	Account ledger.AccountID `json:"account"`
	Key     ledger.HexBytes  `json:"key"`
	Active  bool             `json:"active"` // in the set of the next epoch
}

// Home is the state of the home chain's connection.
type Home struct {
	Height uint64 `json:"height"` // last block read
	Time   uint64 `json:"time"`   // of that block, Unix milliseconds
	Error  string `json:"error,omitempty"`
}

// LedgerSummary is one ledger at its newest certified epoch on this node.
type LedgerSummary struct {
	Epoch       uint64          `json:"epoch"`
	Executed    uint64          `json:"executed"` // ≥ Epoch: executed, not certified yet
	LedgerRoot  ledger.HexBytes `json:"ledger_root"`
	Certificate ledger.HexBytes `json:"certificate"` // root of the certified checkpoint
}

// Checkpoint is what GET /v1/ledgers/{chain}/checkpoints/{epoch} answers; 404
// while the node has no certificate of that epoch.
type Checkpoint struct {
	Chain          string          `json:"chain"`
	Epoch          uint64          `json:"epoch"`
	Height         uint64          `json:"height"`
	Time           uint64          `json:"time"`
	Certificate    ledger.HexBytes `json:"certificate"`
	LedgerRoot     ledger.HexBytes `json:"ledger_root"`
	OpsRoot        ledger.HexBytes `json:"ops_root"`
	ValidatorsRoot ledger.HexBytes `json:"validators_root"`
	SignedPower    ledger.Amount   `json:"signed_power"`
	TotalPower     ledger.Amount   `json:"total_power"`
	Signers        int             `json:"signers"`
	Validators     int             `json:"validators"`
}

// Record is what GET /v1/ledgers/{chain}/records answers: what the ledger holds under
// a key at the end of a certified epoch, with its proof. Without an epoch it is the
// newest certified one.
type Record struct {
	Chain string `json:"chain"`
	Epoch uint64 `json:"epoch"`
	ledger.ProofRecord
}

// Trail is what GET /v1/ledgers/{chain}/certificates answers: the certificates of
// consecutive epochs, from one on.
type Trail struct {
	Links ledger.Trail `json:"links"`
}

// Certificate is what GET /v1/ledgers/{chain}/certificates/{epoch} answers, all in SSZ;
// 404 while the node has no certificate of that epoch.
type Certificate struct {
	Certificate ledger.HexBytes `json:"certificate"` // attest.Certificate
	Set         ledger.HexBytes `json:"set"`         // attest.ValidatorSet that signed it
	Next        ledger.HexBytes `json:"next"`        // attest.ValidatorSet that signs the next epoch
}

// Ledger is what GET /v1/ledgers/{chain} answers: the newest executed state. The
// parts come from ledger.Reader.
type Ledger struct {
	Chain    string               `json:"chain"`
	Epoch    uint64               `json:"epoch"`
	Root     ledger.HexBytes      `json:"ledger_root"`
	Totals   ledger.Totals        `json:"totals"`
	Accounts []ledger.AccountView `json:"accounts"`
	Liens    []ledger.LienView    `json:"liens"`
	Peers    []ledger.PeerView    `json:"peers"`
	Power    []ledger.PowerView   `json:"power"` // the set that signs the next epoch
	Faults   []ledger.FaultView   `json:"faults"`
	Slashes  []ledger.SlashView   `json:"slashes"`
	Jailed   []ledger.JailView    `json:"jailed"`
	Params   *ledger.Params       `json:"params"`
	Pending  *ledger.PendingView  `json:"pending_params,omitempty"` // set by the authority, not in force yet
	// AuthorityNonce is that of the next operation which the chain's authority signs.
	AuthorityNonce uint64 `json:"authority_nonce"`
}

// Fault is what GET /v1/faults (a list) and /v1/faults/{id} answer.
type Fault struct {
	ID        ledger.HexBytes    `json:"id"`
	Kind      string             `json:"kind"`
	Chain     string             `json:"chain"`
	Epoch     uint64             `json:"epoch"`
	Offenders []ledger.AccountID `json:"offenders"`
	Forked    bool               `json:"forked,omitempty"` // it convicts nobody: the chain itself has failed, and is halted
	Proof     ledger.HexBytes    `json:"proof"`            // canonical bytes
	// When this node first saw it (Unix milliseconds, its own clock): the proof,
	// and per ledger the recorded freeze and the finished execution. Zero: not yet.
	Seen     uint64            `json:"seen"`
	Frozen   map[string]uint64 `json:"frozen"`
	Executed map[string]uint64 `json:"executed"`
	// Refused says of the ledgers that will never record it why, by the rules in force:
	// the offence is too old, or of a chain that is unknown there.
	Refused map[string]string `json:"refused,omitempty"`
}

// Submission is the body of POST /v1/operations and its answer.
type Submission struct {
	Operation ledger.HexBytes `json:"operation,omitempty"` // request: the encoded operation
	ID        ledger.HexBytes `json:"id,omitempty"`        // answer: SHA-256 of it
}

// Report is the body of POST /v1/faults and its answer.
type Report struct {
	Proof    ledger.HexBytes  `json:"proof,omitempty"` // request: canonical bytes
	Reporter ledger.AccountID `json:"reporter"`        // request: whom to reward, on the ledger of the offenders' own chain
	ID       ledger.HexBytes  `json:"id,omitempty"`    // answer: of the proof
	// Answer: of the operation that submits it to the home chain. Empty: its ledger needs
	// none, for the reason given.
	Operation ledger.HexBytes `json:"operation,omitempty"`
	Reason    string          `json:"reason,omitempty"`
}

// Receipt is what GET /v1/operations/{id} answers; 404 until the operation was
// executed on the home chain's ledger.
type Receipt struct {
	ID     ledger.HexBytes `json:"id"`
	Chain  string          `json:"chain"`
	Epoch  uint64          `json:"epoch"`
	Height uint64          `json:"height"`
	OK     bool            `json:"ok"`
	Code   string          `json:"code"` // see ledger.Code; "queued": it waits for a later epoch
	Reason string          `json:"reason,omitempty"`
}

// Problem is the body of every answer that is not 2xx.
type Problem struct {
	Error string `json:"error"` // one line that says what to do
}
