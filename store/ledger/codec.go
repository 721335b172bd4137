package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/meshsec/meshsec/attest"
)

// Limits on the size of an encoded operation, in bytes (DESIGN §3.3). The largest but for
// proofs is a ConfirmPeer with a full set, which shows an import with a full statement.
const (
	MaxOperation   = 144 << 10
	MaxSubmitFault = 512 << 10
)

// EncodeOperation is the canonical encoding.
func EncodeOperation(op *Operation) ([]byte, error) {
	b, err := op.MarshalSSZ()
	if err != nil {
		return nil, fmt.Errorf("encode operation: %w", err)
	}
	if err := checkSize(op.Kind, len(b)); err != nil {
		return nil, err
	}
	return b, nil
}

// DecodeOperation reads what EncodeOperation writes and nothing else. The size is
// checked before anything is parsed. The error is a *Refusal.
func DecodeOperation(b []byte) (*Operation, error) {
	if len(b) > MaxSubmitFault {
		return nil, refuse(CodeLimit, "the operation has %d bytes, %d are allowed", len(b), MaxSubmitFault)
	}
	op := new(Operation)
	if err := op.UnmarshalSSZ(b); err != nil {
		return nil, refuse(CodeMalformed, "not an operation: %v", err)
	}
	if err := checkSize(op.Kind, len(b)); err != nil {
		return nil, err
	}
	for i := 1; i < len(op.Signatures); i++ {
		if strings.Compare(string(op.Signatures[i-1].Key[:]), string(op.Signatures[i].Key[:])) >= 0 {
			return nil, refuse(CodeMalformed, "signatures are not sorted by key")
		}
	}
	return op, nil
}

func checkSize(kind uint8, n int) error {
	limit := MaxOperation
	if Kind(kind) == KindSubmitFault {
		limit = MaxSubmitFault
	}
	if n > limit {
		return refuse(CodeLimit, "the operation has %d bytes, %d are allowed", n, limit)
	}
	return nil
}

// OperationID names an operation by its bytes: SHA-256.
func OperationID(encoded []byte) [32]byte { return sha256.Sum256(encoded) }

// signingRoot is what an operation's signatures sign: it holds for one operation
// of one chain of one network.
func (op *Operation) signingRoot(network attest.Network, chain string) ([32]byte, error) {
	unsigned := *op
	unsigned.Signatures = nil
	root, err := unsigned.HashTreeRoot()
	if err != nil {
		return root, err
	}
	return attest.SigningRoot(root, attest.Domain(attest.DomainOperation, network, chain)), nil
}

// Sign adds key's signature, in its place. It replaces an earlier one by the same
// key.
func (op *Operation) Sign(network attest.Network, chain string, key ed25519.PrivateKey) error {
	root, err := op.signingRoot(network, chain)
	if err != nil {
		return fmt.Errorf("sign operation: %w", err)
	}
	s := &SignatureEntry{Key: AccountOf(key)}
	copy(s.Signature[:], ed25519.Sign(key, root[:]))
	i, found := slices.BinarySearchFunc(op.Signatures, s, func(a, b *SignatureEntry) int {
		return strings.Compare(string(a.Key[:]), string(b.Key[:]))
	})
	if found {
		op.Signatures[i] = s
	} else {
		op.Signatures = slices.Insert(op.Signatures, i, s)
	}
	return nil
}

// AccountOf is the account that key controls.
func AccountOf(key ed25519.PrivateKey) (id AccountID) {
	copy(id[:], key.Public().(ed25519.PublicKey))
	return id
}

// body is what sszgen makes of an operation's body.
type body interface{ MarshalSSZ() ([]byte, error) }

func newOperation(kind Kind, account AccountID, nonce uint64, b body) (*Operation, error) {
	enc, err := b.MarshalSSZ()
	if err != nil {
		return nil, fmt.Errorf("encode %v: %w", kind, err)
	}
	return &Operation{Kind: uint8(kind), Account: account, Nonce: nonce, Body: enc}, nil
}

// NewRegister binds a validator's keys to account; see [attest.SignRegistration].
func NewRegister(account AccountID, nonce uint64, r *Register) (*Operation, error) {
	return newOperation(KindRegister, account, nonce, r)
}

// NewDeposit adds amount to account; the authority signs it with its own nonce.
func NewDeposit(nonce uint64, account AccountID, amount Amount) (*Operation, error) {
	return newOperation(KindDeposit, AccountID{}, nonce, &Deposit{account, amount})
}

// NewWithdraw takes out free collateral.
func NewWithdraw(account AccountID, nonce uint64, amount Amount) (*Operation, error) {
	return newOperation(KindWithdraw, account, nonce, &Withdraw{amount})
}

// NewPledge creates or enlarges the part of account's lien to consumer that
// stands behind validator.
func NewPledge(account AccountID, nonce uint64, consumer string, validator AccountID, amount Amount, ratio Ratio) (*Operation, error) {
	return newOperation(KindPledge, account, nonce, &Pledge{[]byte(consumer), validator, amount, uint64(ratio), Amount{}})
}

// NewBackstop creates or enlarges the backstop part of account's lien to consumer;
// accepts is the largest covered value that it stands for.
func NewBackstop(account AccountID, nonce uint64, consumer string, amount Amount, ratio Ratio, accepts Amount) (*Operation, error) {
	return newOperation(KindPledge, account, nonce, &Pledge{[]byte(consumer), Backstop, amount, uint64(ratio), accepts})
}

// NewRelease starts the unbonding of part of a lien.
func NewRelease(account AccountID, nonce uint64, consumer string, validator AccountID, amount Amount) (*Operation, error) {
	return newOperation(KindRelease, account, nonce, &Release{[]byte(consumer), validator, amount})
}

// NewUpdatePeer follows a peer by one certificate, signed by set.
func NewUpdatePeer(c *attest.Certificate, set *attest.ValidatorSet) (*Operation, error) {
	return newOperation(KindUpdatePeer, AccountID{}, 0, &UpdatePeer{*c, *set})
}

// NewConfirmPeer brings a cross-certificate by our set; reference proves the
// record under ImportKey(our chain) in the peer's ledger at the claim's ToEpoch.
func NewConfirmPeer(c *attest.CrossCertificate, set *attest.ValidatorSet, reference []byte) (*Operation, error) {
	return newOperation(KindConfirmPeer, AccountID{}, 0, &ConfirmPeer{*c, *set, reference})
}

// NewImportStatement brings a peer's statement about us at its final epoch; proof
// proves the record under StatementKey(our chain) in its ledger.
func NewImportStatement(provider string, epoch uint64, proof []byte) (*Operation, error) {
	return newOperation(KindImportStatement, AccountID{}, 0, &ImportStatement{[]byte(provider), epoch, proof})
}

// NewSubmitFault brings a fault proof; see [SubmitFault].
func NewSubmitFault(f *SubmitFault) (*Operation, error) {
	return newOperation(KindSubmitFault, AccountID{}, 0, f)
}

// NewRecordCertificate brings a certificate of our own, signed by set.
func NewRecordCertificate(c *attest.Certificate, set *attest.ValidatorSet) (*Operation, error) {
	return newOperation(KindRecordCertificate, AccountID{}, 0, &RecordCertificate{*c, *set})
}

// NewSetParams changes the rules; the authority signs it with its own nonce, as it does
// the next three.
func NewSetParams(nonce uint64, p *Params) (*Operation, error) {
	return newOperation(KindSetParams, AccountID{}, nonce, &SetParams{*p})
}

// NewSetPeer changes how stake of chain counts.
func NewSetPeer(nonce uint64, chain string, t Terms) (*Operation, error) {
	return newOperation(KindSetPeer, AccountID{}, nonce, &SetPeer{[]byte(chain), t})
}

// NewTrustPeer makes a halted peer live again from cp; set signs the epoch after it.
func NewTrustPeer(nonce uint64, cp *attest.Checkpoint, set *attest.ValidatorSet) (*Operation, error) {
	return newOperation(KindTrustPeer, AccountID{}, nonce, &TrustPeer{*cp, *set})
}

// NewReleaseEscrow pays out of what backstops paid for consumer.
func NewReleaseEscrow(nonce uint64, consumer string, account AccountID, amount Amount) (*Operation, error) {
	return newOperation(KindReleaseEscrow, AccountID{}, nonce, &ReleaseEscrow{[]byte(consumer), account, amount})
}

// NewProveCover brings the Cover of a failed chain; proof proves the record under
// CoverKey in its ledger at checkpoint, which a failure names.
func NewProveCover(chain string, checkpoint uint64, proof []byte) (*Operation, error) {
	return newOperation(KindProveCover, AccountID{}, 0, &ProveCover{[]byte(chain), checkpoint, proof})
}

// NewUnjail lets account's validator take part again, which was jailed in epoch.
func NewUnjail(account AccountID, nonce, epoch uint64) (*Operation, error) {
	return newOperation(KindUnjail, account, nonce, &Unjail{epoch})
}

var kindNames = [...]string{"?", "register", "deposit", "withdraw", "pledge", "release", "update_peer", "confirm_peer", "import_statement", "submit_fault",
	"record_certificate", "set_params", "set_peer", "trust_peer", "prove_cover", "release_escrow", "unjail"}

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}
