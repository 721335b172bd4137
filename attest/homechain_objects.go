package attest

//go:generate go tool sszgen --path homechain_objects.go --include objects.go,excerpt_objects.go --output homechain_objects_ssz.go

// Limits of what proofs show of a home chain.
const (
	MaxTrail = 512 // blocks from the last one of an epoch back to another one
	MaxApp   = 64  // bytes of the application's hash in a header
)

// HomeHeader is a block header of a CometBFT home chain, but for the chain id, which is
// that of the checkpoint beside it. What is empty in the header is empty here.
type HomeHeader struct {
	VersionBlock   uint64
	VersionApp     uint64
	Height         uint64
	Seconds        uint64 // since 1970, an int64 in two's complement
	Nanos          uint32
	Parent         HomeBlockID // last_block_id; all zero in a first block
	LastCommit     []byte      `ssz-max:"32"`
	Data           []byte      `ssz-max:"32"`
	Validators     [32]byte    `ssz-size:"32"`
	NextValidators []byte      `ssz-max:"32"`
	Consensus      []byte      `ssz-max:"32"`
	App            []byte      `ssz-max:"64"`
	LastResults    []byte      `ssz-max:"32"`
	Evidence       []byte      `ssz-max:"32"`
	Proposer       [20]byte    `ssz-size:"20"`
}

// HomeBlockID is how votes and headers of CometBFT name a block.
type HomeBlockID struct {
	Hash       [32]byte `ssz-size:"32"`
	PartsTotal uint32
	PartsHash  [32]byte `ssz-size:"32"`
}

// Link shows which block is the parent of one that is known by its hash: the field
// last_block_id of its header, and its branch in the tree of the header's fields.
type Link struct {
	Parent HomeBlockID
	Branch [128]byte `ssz-size:"128"` // four Merkle siblings, from the leaf up
}

// Precommit is what a validator's signature on a block has of its own in a commit.
type Precommit struct {
	Seconds   uint64 // since 1970, an int64 in two's complement
	Nanos     uint32
	Signature [64]byte `ssz-size:"64"`
}

// OwnCommit are the same validators' precommits for the block that the chain has.
type OwnCommit struct {
	PartsTotal uint32
	PartsHash  [32]byte     `ssz-size:"32"`
	Precommits []*Precommit `ssz-max:"512"`
}

// HomeValidator is one of the validators that a header's validators_hash names. Those
// with another key than ed25519 have no form here.
type HomeValidator struct {
	Key   [32]byte `ssz-size:"32"`
	Power uint64
}

// LightClientAttack proves that validators of a CometBFT home chain signed a block which
// the chain does not have at that height (DESIGN §5). The certificate names the last
// block of the epoch, the trail leads back to the height. Three forms of it prove
// something, see [LightClientAttack.Attack].
type LightClientAttack struct {
	ValidatorsRoot [32]byte    `ssz-size:"32"` // of the set that signed the certificate
	Certificate    Certificate // of the epoch that the height belongs to
	Trail          []*Link     `ssz-max:"512"` // none if it is the epoch's last block
	Canonical      HomeHeader  // that the chain has
	Conflicting    HomeHeader  // that it does not have
	PartsTotal     uint32      // of the conflicting block, as its signers name it
	PartsHash      [32]byte    `ssz-size:"32"`
	Round          uint32
	Signers        []byte           `ssz:"bitlist" ssz-max:"512"` // of the conflicting block: of the set, or of Validators where there are any
	Precommits     []*Precommit     `ssz-max:"512"`               // one of each signer
	Own            []*OwnCommit     `ssz-max:"1"`                 // of an equivocation
	Validators     []*HomeValidator `ssz-max:"512"`               // of a fork: those of the canonical header
}

// InvalidOperations proves that an epoch's transcript does not hold what the home chain
// ordered in one of its blocks (DESIGN §5). The certificate names the epoch's last block
// and the transcript, the trail leads back to the block. All signers of the certificate
// are accused. What contradicts is said by Rule; nothing is shown that it does not need.
type InvalidOperations struct {
	ValidatorsRoot [32]byte `ssz-size:"32"` // of the set that signed the certificate
	Certificate    Certificate
	Trail          []*Link    `ssz-max:"512"` // none if it is the epoch's last block
	Header         HomeHeader // of the block
	Rule           uint8      // one of OperationsCheckpoint to OperationsOrder
	Transactions   [][]byte   `ssz-max:"2048" ssz-size:"?,32"` // of the block's first transactions, the SHA-256
	Rest           [][]byte   `ssz-max:"32" ssz-size:"?,32"`   // Merkle siblings of those, where there are more
	Operations     []*Shown   `ssz-max:"2"`                    // in which the two differ, sorted by SHA-256
	Excerpt        Excerpt    // of the certified transcript
}

// Shown is an operation as its chain carries it.
type Shown struct {
	Data []byte `ssz-max:"552960"`
}
