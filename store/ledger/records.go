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

	Parent [32]byte `ssz-size:"32"` // root of the checkpoint before the last one
	Open   Waiting  // the queues of operations, see bounds.go
	Signed Waiting
}

// Waiting is a queue of operations.
type Waiting struct {
	Next  uint64 // index of the first that waits
	Bytes uint64 // of all that wait
}

// Account holds collateral.
type Account struct {
	Nonce      uint64   // of its next signed operation
	Collateral [32]byte `ssz-size:"32"`
	Consumers  []Name   `ssz-max:"64"` // whom it has liens to, sorted
}

// Name is a chain id inside a list.
type Name struct {
	ID []byte `ssz-max:"50"`
}

// Lien is one consumer's claim on one account, home stake included (its consumer
// is the home chain).
type Lien struct {
	Ratio uint64 // largest share of it that a fault may take, scaled by One
	Parts []Part `ssz-max:"64"` // sorted by Validator; the zero account is the backstop
}

// Part is the share of a lien that stands behind one validator of the consumer.
type Part struct {
	Validator [32]byte    `ssz-size:"32"` // account on the consumer chain
	Bonded    [32]byte    `ssz-size:"32"` // nominal: as the owner's operations made it
	Unbonding []Unbonding `ssz-max:"16"`  // nominal, in order of release
	Slashed   [32]byte    `ssz-size:"32"` // of the nominal amount, since it was last settled
	Captured  []Captured  `ssz-max:"64"`  // what it was, epoch by epoch, while it can be captured
	Taken     [32]byte    `ssz-size:"32"` // by slashes, ever: the debt already paid
	Accepts   [32]byte    `ssz-size:"32"` // of the backstop: the largest covered value that it stands for
	Drawn     []Drawn     `ssz-max:"16"`  // of the backstop: the last draws, in their order
}

// Drawn is what had been taken of a backstop after the draws of an epoch. Statements from
// then on leave it out.
type Drawn struct {
	Epoch uint64
	Taken [32]byte `ssz-size:"32"`
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
	Entries  []Entry  `ssz-max:"512"` // sorted by Validator; the zero account is the backstop
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
	Accepted       uint64   // last epoch with a certificate
	Root           [32]byte `ssz-size:"32"` // of its checkpoint
	ValidatorsRoot [32]byte `ssz-size:"32"` // set that signs the next epoch
	Time           uint64   // of its checkpoint
	Confirmed      uint64   // last epoch that our own validators re-executed
	Final          uint64   // confirmed, and its challenge window has passed
	Halted         uint8    // 0, or a HaltReason
	HaltedAt       uint64   // our epoch in which it was halted
	HaltedTime     uint64   // and the time of its last block
	Overturned     uint64   // accepted epochs from here on will never be final; 0: none
}

// PeerSet is the set of a peer's last accepted epoch, for Pledge.
type PeerSet struct {
	Members []Member `ssz-max:"512"`
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
	Jailed       uint64 // our epoch in which it was jailed for downtime; 0: it is not
}

// Liveness is which epochs a validator missed lately, in order.
type Liveness struct {
	Missed []uint64 `ssz-max:"1024"`
}

// Participation is who did not sign an epoch of ours, as far as its recorded
// certificates say: the fewer the more were recorded.
type Participation struct {
	Epoch  uint64
	Absent []Member `ssz-max:"512"` // sorted
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
	Since    uint64     // our epoch in which it was convicted first: from then on it is in no statement
}

// Offence is one fault of one offender.
type Offence struct {
	Fault     [32]byte `ssz-size:"32"` // id of the proof
	Kind      uint8
	Epoch     uint64   // of the consumer chain
	Time      uint64   // of the checkpoint that committed to the set of that epoch
	Power     [32]byte `ssz-size:"32"` // that the offender held in that epoch
	Total     [32]byte `ssz-size:"32"` // of all
	Reference uint64   // our epoch whose statement it captures, +1; 0 = none
	Later     uint64   // a second such epoch, +1, where the submitter proved one; the larger amount counts
	Penalty   Fraction // executed so far
}

// Fraction is Num/Den; the zero value is 0.
type Fraction struct {
	Num [32]byte `ssz-size:"32"`
	Den [32]byte `ssz-size:"32"`
}

// Fault is a recorded proof.
type Fault struct {
	Kind      uint8
	Chain     []byte `ssz-max:"50"`
	Epoch     uint64
	Since     uint64   // time of the checkpoint that committed to the set of that epoch
	Recorded  uint64   // our epoch
	Time      uint64   // of the block that ordered it
	Reporter  [32]byte `ssz-size:"32"`
	Offenders []Member `ssz-max:"512"` // those whom it convicted of something new
}

// Execution is a queued slash of one offender. Its inputs are fixed when it
// starts: what comes to light later queues another one for the difference.
type Execution struct {
	Chain     []byte   `ssz-max:"50"`
	Account   [32]byte `ssz-size:"32"`
	Fault     [32]byte `ssz-size:"32"` // that queued it
	Epoch     uint64   // our epoch in which it was queued
	Time      uint64
	Penalties []Fraction `ssz-max:"64"` // by offence; empty until it starts
	Cursor    uint64     // next lien of the offender's list
	Done      uint8
	Draw      Draw // of the execution of a backstop, whose Account is zero
}

// Draw fixes what each backstop of a failed chain pays: the share
// clamp((min(Covered, accepted) − Paid)/Pool, 0, 1) of its ratio times its captured
// amount (DESIGN §3.5), all three in base units of that chain.
type Draw struct {
	Reference uint64   // our epoch whose statement is captured, +1; 0 = none
	Covered   [32]byte `ssz-size:"32"` // V
	Paid      [32]byte `ssz-size:"32"` // F, by the cross-stake on the offenders
	Pool      [32]byte `ssz-size:"32"` // B, Σ r·b over all backstops
}

// Cover is what a chain's own ledger says at the end of an epoch about what stands
// behind it, priced as virtual stake in its own base units. The ledgers of its
// providers read it when the chain has failed.
type Cover struct {
	Value      [32]byte      `ssz-size:"32"` // the covered value in force
	Pool       [32]byte      `ssz-size:"32"` // Σ r·b over the backstops of all providers
	Entries    []*CoverEntry `ssz-max:"512"` // sorted by Validator
	Statements []Counted     `ssz-max:"256"` // that all this was computed from, sorted by Provider
}

// Counted names a statement that counts.
type Counted struct {
	Provider []byte `ssz-max:"50"`
	Epoch    uint64 // of the provider
}

// CoverEntry is the cross-stake on one validator.
type CoverEntry struct {
	Validator [32]byte `ssz-size:"32"`
	Virtual   [32]byte `ssz-size:"32"`
	Slashable [32]byte `ssz-size:"32"` // Σ r·virtual
}

// Failure is a peer of whose power a third was convicted around one of its epochs, until
// its backstops are settled.
type Failure struct {
	Fault      [32]byte `ssz-size:"32"` // that completed the third
	Epoch      uint64   // of the peer, of the offence that a third offended near to
	Since      uint64   // time of the checkpoint before it
	Recorded   uint64   // our epoch
	Time       uint64
	Checkpoint uint64 // the peer's epoch whose Cover counts
	Reference  uint64 // our epoch whose statement that Cover counts, +1; 0 = none
	Covered    uint8  // 1 once the Cover is proven here
	Settled    uint8  // 1 once the execution is queued, or the Cover was not proven in time
}

// Renewal is a checkpoint from which the authority has trusted a peer anew.
type Renewal struct {
	Epoch    uint64 // of the peer
	Final    uint64 // its last final epoch before: those between the two never became final
	Forgiven uint64 // so many of its offenders, the first of the list, had been convicted when it had failed and was trusted all the same
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
