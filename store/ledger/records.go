package ledger

//go:generate go tool sszgen --path records.go --output records_ssz.go

// The records of the state tree, in SSZ. Amounts are uint256 in little-endian
// (see [Amount]), ratios and prices integers scaled by [One], times Unix
// milliseconds. keys.go says which record lives under which key.

// Meta is the ledger's clock and its totals.
type Meta struct {
	Epoch  uint64 // last completed epoch
	Height uint64 // its last block
	Time   uint64 // of that block

	Deposited  [32]byte `ssz-size:"32"`
	Collateral [32]byte `ssz-size:"32"` // Σ over accounts
	Escrow     [32]byte `ssz-size:"32"`
	Withdrawn  [32]byte `ssz-size:"32"`
	Burned     [32]byte `ssz-size:"32"`

	AuthorityNonce uint64 // of the next operation signed by the authority
	QueueHead      uint64 // first execution that has not finished
}

// Account holds collateral.
type Account struct {
	Nonce      uint64   // of its next signed operation
	Collateral [32]byte `ssz-size:"32"`
	Consumers  []*Name  `ssz-max:"64"` // whom it has liens to, sorted
}

// Name is a chain id inside a list.
type Name struct {
	ID []byte `ssz-max:"50"`
}

// Lien is one consumer's claim on one account, home stake included (its consumer
// is the home chain).
type Lien struct {
	Ratio uint64  // largest share of it that a fault may take, scaled by One
	Parts []*Part `ssz-max:"64"` // sorted by Validator; the zero account is the backstop
}

// Part is the share of a lien that stands behind one validator of the consumer.
type Part struct {
	Validator [32]byte     `ssz-size:"32"` // account on the consumer chain
	Bonded    [32]byte     `ssz-size:"32"` // nominal: as the owner's operations made it
	Unbonding []*Unbonding `ssz-max:"16"`  // nominal, in order of release
	Slashed   [32]byte     `ssz-size:"32"` // of the nominal amount, since it was last settled
	Captured  []*Captured  `ssz-max:"64"`  // what it was, epoch by epoch, while it can be captured
	Taken     [32]byte     `ssz-size:"32"` // by slashes, ever: the debt already paid
}

// Unbonding is an amount on its way out. It stays slashable until it matures.
type Unbonding struct {
	Amount [32]byte `ssz-size:"32"`
	Epoch  uint64   // in which it was released
	Time   uint64
}

// Captured is what a part contributed to the statement from the end of Epoch on,
// until the next entry.
type Captured struct {
	Epoch  uint64
	Time   uint64
	Amount [32]byte `ssz-size:"32"`
}

// Statement is this chain's word about what is bonded here for one consumer,
// which imports it with an inclusion proof. That of the home chain is the own
// stake. Validators whose entry is zero are absent.
type Statement struct {
	Provider []byte   `ssz-max:"50"`
	Consumer []byte   `ssz-max:"50"`
	Entries  []*Entry `ssz-max:"512"` // sorted by Validator; the zero account is the backstop
	Amount   [32]byte `ssz-size:"32"` // Σ
}

// Entry is one validator's line of a statement.
type Entry struct {
	Validator [32]byte `ssz-size:"32"`
	Amount    [32]byte `ssz-size:"32"` // Σ bonded
	Slashable [32]byte `ssz-size:"32"` // Σ ⌊r·bonded⌋
}

// Import is a peer's statement in force on this ledger.
type Import struct {
	Epoch     uint64 // of the peer, under whose ledger root it was proven
	Time      uint64 // of that epoch's checkpoint: its age counts from here
	Statement Statement
}

// Peer is what this ledger knows of another chain as its light client.
type Peer struct {
	Accepted       uint64    // last epoch with a certificate
	Root           [32]byte  `ssz-size:"32"` // of its checkpoint
	ValidatorsRoot [32]byte  `ssz-size:"32"` // set that signs the next epoch
	Time           uint64    // of its checkpoint
	Confirmed      uint64    // last epoch that our own validators re-executed
	Final          uint64    // confirmed, and its challenge window has passed
	Halted         uint8     // 0, or a HaltReason
	HaltedAt       uint64    // our epoch in which it was halted
	Set            []*Member `ssz-max:"512"` // of the last accepted epoch, for Pledge
}

// Member is a validator that can be pledged to.
type Member struct {
	Account [32]byte `ssz-size:"32"`
}

// PeerCheckpoint is an accepted checkpoint of a peer.
type PeerCheckpoint struct {
	Root           [32]byte `ssz-size:"32"`
	LedgerRoot     [32]byte `ssz-size:"32"`
	ValidatorsRoot [32]byte `ssz-size:"32"`
	Time           uint64
	AcceptedEpoch  uint64 // ours, in which its certificate came
	AcceptedTime   uint64
	// The statement of ours that the peer's ledger had in force at this
	// checkpoint, once ConfirmPeer proved it: 0 unknown, 1 none, else epoch+2.
	Reference uint64
}

// Validator is a registered validator of this chain.
type Validator struct {
	Key          [48]byte `ssz-size:"48"`
	KeyType      uint8
	ConsensusKey []byte `ssz-max:"96"`
}

// SetRecord remembers which set signed an epoch of this chain.
type SetRecord struct {
	Root [32]byte `ssz-size:"32"`
	Time uint64   // of the checkpoint that committed to it
}

// Offender is a tombstone: a validator account of this chain or of a peer that
// was convicted. It is never removed.
type Offender struct {
	Offences []*Offence `ssz-max:"64"` // in the order in which they were recorded
	Queued   uint8      // 1 while an execution waits to start
}

// Offence is one fault of one offender.
type Offence struct {
	Fault     [32]byte `ssz-size:"32"` // id of the proof
	Kind      uint8
	Epoch     uint64 // of the consumer chain
	Share     uint64 // of the power in that epoch, rounded down, scaled by One
	Reference uint64 // our epoch whose statement it captures, +1; 0 = none
	Later     uint64 // a second such epoch, +1, where the submitter proved one; the larger amount counts
	Penalty   uint64 // executed so far, scaled by One
}

// Fault is a recorded proof.
type Fault struct {
	Kind      uint8
	Chain     []byte `ssz-max:"50"`
	Epoch     uint64
	Recorded  uint64    // our epoch
	Time      uint64    // of the block that ordered it
	Reporter  [32]byte  `ssz-size:"32"`
	Offenders []*Member `ssz-max:"512"` // those whom it convicted of something new
}

// Execution is a queued slash of one offender. Its inputs are fixed when it
// starts: what comes to light later queues another one for the difference.
type Execution struct {
	Chain     []byte   `ssz-max:"50"`
	Account   [32]byte `ssz-size:"32"`
	Fault     [32]byte `ssz-size:"32"` // that queued it
	Epoch     uint64   // our epoch in which it was queued
	Time      uint64
	Penalties []uint64 `ssz-max:"64"` // by offence, scaled by One; empty until it starts
	Cursor    uint64   // next lien of the offender's list
	Done      uint8
}

// Slash is what one execution took from one part of one lien.
type Slash struct {
	Fault        [32]byte `ssz-size:"32"`
	Account      [32]byte `ssz-size:"32"` // whose lien
	Consumer     []byte   `ssz-max:"50"`
	Validator    [32]byte `ssz-size:"32"` // the offender
	Captured     [32]byte `ssz-size:"32"`
	Ratio        uint64   // min(penalty, the lien's ratio), scaled by One
	Amount       [32]byte `ssz-size:"32"` // taken now: Burned + Reward + Compensation
	Burned       [32]byte `ssz-size:"32"`
	Reward       [32]byte `ssz-size:"32"`
	Compensation [32]byte `ssz-size:"32"`
	Epoch        uint64   // ours
}
