package ledger

//go:generate go tool sszgen --path operations.go --include ../../attest,params.go,text.go,penalty.go --output operations_ssz.go

import "github.com/meshsec/meshsec/attest"

// The operations that a home chain orders (DESIGN §3.3), in SSZ.

// Kind names an operation.
type Kind uint8

// The kinds. Their numbers are part of the protocol.
const (
	KindRegister Kind = iota + 1
	KindDeposit
	KindWithdraw
	KindPledge
	KindRelease
	KindUpdatePeer
	KindConfirmPeer
	KindImportStatement
	KindSubmitFault
	KindRecordCertificate
	KindSetParams
	KindSetPeer
	KindTrustPeer
	KindProveCover
	KindReleaseEscrow
	KindUnjail
)

// open reports whether anybody may submit operations of this kind: everything in
// them is verified.
func (k Kind) open() bool {
	switch k {
	case KindUpdatePeer, KindConfirmPeer, KindImportStatement, KindSubmitFault, KindRecordCertificate, KindProveCover:
		return true
	}
	return false
}

// Operation is the envelope. Account is the ed25519 public key of the signer and
// Nonce its count of operations; both are zero where anybody may submit, see
// [Kind.open]. Deposit, SetParams, SetPeer, TrustPeer and ReleaseEscrow are signed by
// the chain's authority, with the authority's nonce and a zero Account.
//
// Expires, if not 0, is the last block time at which the operation counts. It keeps
// others from replaying one that was refused, and makes a second attempt another
// transaction, which a home chain would drop as known if it were the same.
type Operation struct {
	Kind       uint8
	Account    [32]byte `ssz-size:"32"`
	Nonce      uint64
	Expires    uint64            // Unix milliseconds
	Body       []byte            `ssz-max:"524288"`
	Signatures []*SignatureEntry `ssz-max:"16"` // sorted by Key
}

// SignatureEntry is one ed25519 signature on an operation.
type SignatureEntry struct {
	Key       [32]byte `ssz-size:"32"`
	Signature [64]byte `ssz-size:"64"`
}

// Register binds a validator's keys to the signing account.
type Register struct {
	Key                [48]byte `ssz-size:"48"`
	Possession         [96]byte `ssz-size:"96"` // by Key over the registration
	KeyType            uint8
	ConsensusKey       []byte `ssz-max:"96"`
	ConsensusSignature []byte `ssz-max:"96"` // by ConsensusKey over the same
}

// Deposit adds collateral to an account, on the authority's word.
type Deposit struct {
	Account [32]byte `ssz-size:"32"`
	Amount  [32]byte `ssz-size:"32"`
}

// Withdraw takes free collateral out.
type Withdraw struct {
	Amount [32]byte `ssz-size:"32"`
}

// Pledge creates or enlarges the part of a lien that stands behind one validator, or,
// with the zero account, behind the consumer as a whole: the backstop. Ratio may raise
// that of an existing lien, never lower it. Accepts is the largest covered value of the
// consumer, in its base units, that the backstop stands for; it may only rise too, and
// is zero for a validator.
type Pledge struct {
	Consumer  []byte   `ssz-max:"50"`
	Validator [32]byte `ssz-size:"32"`
	Amount    [32]byte `ssz-size:"32"`
	Ratio     uint64
	Accepts   [32]byte `ssz-size:"32"`
}

// Release starts the unbonding of part of a lien.
type Release struct {
	Consumer  []byte   `ssz-max:"50"`
	Validator [32]byte `ssz-size:"32"`
	Amount    [32]byte `ssz-size:"32"`
}

// UpdatePeer follows a peer by one certificate. Set is the one that signed it.
type UpdatePeer struct {
	Certificate attest.Certificate
	Set         attest.ValidatorSet
}

// ConfirmPeer brings a cross-certificate of our own validators. Set is ours of
// the claim's epoch. Reference proves, under the ledger root of the claim's last
// checkpoint, which statement of ours the peer had in force there, or that it had
// none: a trie proof of its Import record of us.
type ConfirmPeer struct {
	Certificate attest.CrossCertificate
	Set         attest.ValidatorSet
	Reference   []byte `ssz-max:"65536"`
}

// ImportStatement brings a final peer's statement about us: a trie proof of its
// Statement record under the ledger root of its epoch Epoch.
type ImportStatement struct {
	Provider []byte `ssz-max:"50"`
	Epoch    uint64
	Proof    []byte `ssz-max:"65536"`
}

// SubmitFault brings a fault proof. Set is the one that the proof's bitfields index.
// Later, if not empty, proves which statement of ours the offender's chain had in force
// at its checkpoint LaterEpoch right before the offence, which is accepted here: it
// counts where it captures more than that of the last final one. It can be brought later
// too, by another submission of the same offence. Reporter may be rewarded.
type SubmitFault struct {
	Reporter   [32]byte `ssz-size:"32"`
	Proof      attest.FaultProof
	Set        attest.ValidatorSet
	LaterEpoch uint64
	Later      []byte `ssz-max:"65536"`
}

// RecordCertificate brings a certificate of our own last epoch or the one before: who
// signed it was there. Set is the one that signed it.
type RecordCertificate struct {
	Certificate attest.Certificate
	Set         attest.ValidatorSet
}

// SetParams changes the chain's rules. What binds others takes effect when one
// unbonding time of the old rules has passed, everything else in the next epoch; a
// later SetParams replaces one that still waits.
type SetParams struct {
	Params Params
}

// SetPeer changes how stake that Chain pledges counts here, from the next set on. A
// zero cap ejects the provider.
type SetPeer struct {
	Chain []byte `ssz-max:"50"`
	Terms Terms
}

// TrustPeer makes a halted peer live again from a checkpoint that the authority
// vouches for. Set is the one that signs the epoch after it.
type TrustPeer struct {
	Checkpoint attest.Checkpoint
	Set        attest.ValidatorSet
}

// ProveCover brings the Cover of a failed chain: a trie proof of it under the ledger
// root of Checkpoint, an epoch of the chain that a failure names.
type ProveCover struct {
	Chain      []byte `ssz-max:"50"`
	Checkpoint uint64
	Proof      []byte `ssz-max:"98304"`
}

// ReleaseEscrow pays what backstops of this chain paid for Consumer into an account.
type ReleaseEscrow struct {
	Consumer []byte   `ssz-max:"50"`
	Account  [32]byte `ssz-size:"32"`
	Amount   [32]byte `ssz-size:"32"`
}

// Unjail lets the signing validator take part again.
type Unjail struct {
	Epoch uint64 // in which it was jailed
}
