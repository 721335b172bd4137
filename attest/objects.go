package attest

//go:generate go tool sszgen --path objects.go --output objects_ssz.go

// Limits of the encoded objects. They are part of the protocol: an object beyond
// a limit has no encoding.
const (
	MaxChainID      = 50  // bytes, as in CometBFT
	MaxValidators   = 512 // of one chain in one epoch
	MaxConsensusKey = 96  // bytes; ed25519 has 32, BLS12-381 in G2 has 96

	MaxConsensusSignature = 96 // bytes; ed25519 has 64, BLS12-381 in G2 has 96

	MaxLater = 512 // checkpoints between a wrong one and the claim that covers it
)

// Checkpoint is what a chain's validators sign for an epoch (DESIGN §4). Every
// field is the same for all honest validators.
type Checkpoint struct {
	ChainID        []byte   `ssz-max:"50"`
	Epoch          uint64   // counts from 1; epoch 0 is the manifest's genesis
	Parent         [32]byte `ssz-size:"32"` // Root of the previous checkpoint
	Height         uint64   // last home-chain block of the epoch
	BlockHash      [32]byte `ssz-size:"32"` // of that block
	Time           uint64   // of that block, Unix milliseconds
	OpsRoot        [32]byte `ssz-size:"32"` // every (operation, receipt, root after it), in order
	LedgerRoot     [32]byte `ssz-size:"32"` // state tree at the end of the epoch
	ValidatorsRoot [32]byte `ssz-size:"32"` // Root of the set that signs the next epoch
}

// Validator is one member of a validator set.
type Validator struct {
	Key          [48]byte `ssz-size:"48"` // BLS public key, compressed G1
	Account      [32]byte `ssz-size:"32"` // who is liable
	ConsensusKey ConsensusKey
	Power        [32]byte `ssz-size:"32"` // uint256, little-endian
}

// ConsensusKey is a validator's key in its home chain's own consensus.
type ConsensusKey struct {
	Type  uint8  // see KeyEd25519
	Bytes []byte `ssz-max:"96"`
}

// ValidatorSet is the set that signs one epoch, sorted by Key, without
// duplicates, every power positive.
type ValidatorSet struct {
	Validators []*Validator `ssz-max:"512"`
}

// Attestation is one validator's signature on a checkpoint.
type Attestation struct {
	Checkpoint Checkpoint
	Signer     [48]byte `ssz-size:"48"`
	Signature  [96]byte `ssz-size:"96"`
}

// Certificate is a checkpoint with the aggregated signature of the validators
// named by Signers, a bitlist as long as the epoch's set. The same object with
// fewer signers is an aggregate; only [VerifyCertificate] tells them apart.
type Certificate struct {
	Checkpoint Checkpoint
	Signers    []byte   `ssz:"bitlist" ssz-max:"512"`
	Signature  [96]byte `ssz-size:"96"`
}

// CrossClaim says: from Peer's epoch From, which is final here, up to To, I hold
// all operations, re-executed them, and got the certified ledger roots. It is
// signed by validators of ChainID in the set of its epoch Epoch.
type CrossClaim struct {
	ChainID   []byte `ssz-max:"50"`
	Epoch     uint64
	Peer      []byte `ssz-max:"50"`
	FromEpoch uint64
	FromRoot  [32]byte `ssz-size:"32"` // checkpoint root
	ToEpoch   uint64
	ToRoot    [32]byte `ssz-size:"32"` // checkpoint root
}

// CrossAttestation is one validator's signature on a claim.
type CrossAttestation struct {
	Claim     CrossClaim
	Signer    [48]byte `ssz-size:"48"`
	Signature [96]byte `ssz-size:"96"`
}

// CrossCertificate is a claim with the aggregated signature of more than 2/3 of
// the claiming chain's power.
type CrossCertificate struct {
	Claim     CrossClaim
	Signers   []byte   `ssz:"bitlist" ssz-max:"512"`
	Signature [96]byte `ssz-size:"96"`
}

// FaultProof is the envelope of every kind of proof (DESIGN §5). Body is the
// canonical SSZ encoding of the kind's own object.
type FaultProof struct {
	Kind uint8
	Body []byte `ssz-max:"524288"`
}

// DoubleVote proves that every validator in both bitfields signed two different
// checkpoints for one epoch of one chain. First has the smaller root. Each side
// may be one signer or an aggregate. ValidatorsRoot names the set that the
// bitfields index.
type DoubleVote struct {
	ValidatorsRoot [32]byte `ssz-size:"32"`
	First          Certificate
	Second         Certificate
}

// Equivocation proves that a validator signed two votes for different blocks in one
// step of its home chain's consensus (DESIGN §5), as CometBFT's
// DuplicateVoteEvidence. First has the smaller block id. That Epoch is the one
// which Height belongs to is checked by who knows how many blocks an epoch has.
type Equivocation struct {
	ChainID        []byte `ssz-max:"50"` // also the one that the votes were signed for
	Epoch          uint64
	ValidatorsRoot [32]byte     `ssz-size:"32"`               // of the set that Accused indexes
	Accused        []byte       `ssz:"bitlist" ssz-max:"512"` // exactly one
	Key            ConsensusKey // the accused's
	Height         uint64
	Round          uint32
	Type           uint8 // comet.Prevote or comet.Precommit
	First          ConsensusVote
	Second         ConsensusVote
}

// ConsensusVote is what one vote of an [Equivocation] has of its own. All zero before
// the time means a vote for no block.
type ConsensusVote struct {
	BlockHash  [32]byte `ssz-size:"32"`
	PartsTotal uint32
	PartsHash  [32]byte `ssz-size:"32"`
	Seconds    uint64   // since 1970, an int64 in two's complement
	Nanos      uint32
	Signature  []byte `ssz-max:"96"`
}

// Transition proves that the ledger of a chain can't go from one checkpoint to the next
// (DESIGN §5). Without a claim it accuses those who certified the second; with one,
// those who claim to have re-executed it, of whom any number may have signed. What
// shows it is judged by the [Law].
type Transition struct {
	Previous       Checkpoint    // of the epoch before
	Checkpoint     Checkpoint    // its Parent is the root of Previous
	Claim          []*CrossClaim `ssz-max:"1"`
	Later          []*Checkpoint `ssz-max:"512"`               // that lead from Checkpoint to the one that the claim names
	ValidatorsRoot [32]byte      `ssz-size:"32"`               // of the set that Signers indexes
	Signers        []byte        `ssz:"bitlist" ssz-max:"512"` // of the claim, or else of Checkpoint
	Signature      [96]byte      `ssz-size:"96"`
	Evidence       []byte        `ssz-max:"524288"`
}

// Registration is what a validator's keys sign to be bound to an account
// (DESIGN §2): possession by Key, the same root by the consensus key.
type Registration struct {
	ChainID      []byte   `ssz-max:"50"`
	Account      [32]byte `ssz-size:"32"`
	Key          [48]byte `ssz-size:"48"`
	ConsensusKey ConsensusKey
}
