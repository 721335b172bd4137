package ledger

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
)

// machine runs the steps of one epoch over a state.
type machine struct {
	manifest *Manifest
	law      law
	chains   []string // of the network, sorted
	spec     *ChainSpec
	state    State
	tx       *txn    // of the step under way, nil before the first
	params   *Params // in force in it
	dust     bool    // liens are taken whose slash rounds to nothing; only a Scenario does

	epoch  uint64   // being executed
	parent [32]byte // root of the checkpoint before it
	now    uint64   // time of the block under way
}

// step runs f over a fresh transaction. A *Refusal leaves the state untouched and
// is returned; so is every other error, which means that the state is damaged.
func (m *machine) step(f func() error) error {
	if m.tx == nil {
		m.tx = new(txn)
	}
	m.tx.begin(m.state)
	params, err := load[Params](m.tx, paramsKey)
	if err != nil {
		return err
	}
	if params == nil { // only genesis runs before there are any
		params = &m.spec.Params
	}
	m.params = params
	if err := f(); err != nil {
		return err
	}
	return m.tx.commit()
}

// apply runs one encoded operation and tells what became of it.
func (m *machine) apply(encoded []byte) (*Receipt, error) {
	op, err := DecodeOperation(encoded)
	return m.applyDecoded(encoded, op, err)
}

// applyDecoded is apply for what DecodeOperation made of encoded.
func (m *machine) applyDecoded(encoded []byte, op *Operation, malformed error) (*Receipt, error) {
	r := &Receipt{Operation: OperationID(encoded)}
	err := m.step(func() error {
		if malformed != nil {
			return malformed
		}
		if op.Expires != 0 && op.Expires < m.now {
			return refuse(CodeExpired, "the operation expired %d ms before this block", m.now-op.Expires)
		}
		return m.operation(op)
	})
	return r, r.refused(err)
}

// operation decodes the body, checks who signed, and runs it.
func (m *machine) operation(op *Operation) error {
	switch Kind(op.Kind) {
	case KindRegister:
		return signed(m, op, m.register)
	case KindWithdraw:
		return signed(m, op, m.withdraw)
	case KindPledge:
		return signed(m, op, m.pledge)
	case KindRelease:
		return signed(m, op, m.release)
	case KindUnjail:
		return signed(m, op, m.unjail)
	case KindDeposit:
		return authorised(m, op, m.deposit)
	case KindSetParams:
		return authorised(m, op, m.setParams)
	case KindSetPeer:
		return authorised(m, op, m.setPeer)
	case KindTrustPeer:
		return authorised(m, op, m.trustPeer)
	case KindReleaseEscrow:
		return authorised(m, op, m.releaseEscrow)
	case KindUpdatePeer:
		return open(op, m.updatePeer)
	case KindConfirmPeer:
		return open(op, m.confirmPeer)
	case KindImportStatement:
		return open(op, m.importStatement)
	case KindSubmitFault:
		return open(op, m.submitFault)
	case KindRecordCertificate:
		return open(op, m.recordCertificate)
	case KindProveCover:
		return open(op, m.proveCover)
	}
	return refuse(CodeMalformed, "unknown kind of operation %d", op.Kind)
}

// signed runs an operation that its account signed with its next nonce; see owned.
func signed[T any, B record[T]](m *machine, op *Operation, run func(*vault, B) error) error {
	b, err := decodeBody[T, B](op)
	if err != nil {
		return err
	}
	if len(op.Signatures) != 1 || op.Signatures[0].Key != op.Account {
		return refuse(CodeUnauthorised, "account %v must sign, and nobody else", AccountID(op.Account))
	}
	if err := m.verify(op); err != nil {
		return err
	}
	v, err := loadVault(m.tx, op.Account)
	if err != nil {
		return err
	}
	if v == nil {
		return refuse(CodeUnknown, "there is no account %v: deposit first", AccountID(op.Account))
	}
	if op.Nonce != v.account.Nonce {
		return refuse(CodeNonce, "nonce %d, the account's next is %d", op.Nonce, v.account.Nonce)
	}
	v.account.Nonce++
	return m.owned(v, func() error { return run(v, b) })
}

// owned runs what the owner of v orders: on the vault settled and without what has
// matured, which is saved afterwards.
func (m *machine) owned(v *vault, run func() error) error {
	v.settle()
	if err := v.dropMatured(m.maturity()); err != nil {
		return err
	}
	v.repair()
	if err := run(); err != nil {
		return err
	}
	return m.saveVault(v, true)
}

// authorised runs an operation that enough of the authority's keys signed with
// the authority's next nonce.
func authorised[T any, B record[T]](m *machine, op *Operation, run func(B) error) error {
	b, err := decodeBody[T, B](op)
	if err != nil {
		return err
	}
	if op.Account != (AccountID{}) {
		return refuse(CodeMalformed, "an operation of the authority names no account as signer")
	}
	for _, s := range op.Signatures {
		if !slices.Contains(m.spec.Authority.Keys, s.Key) {
			return refuse(CodeUnauthorised, "key %v is not one of the authority's", AccountID(s.Key))
		}
	}
	if uint64(len(op.Signatures)) < m.spec.Authority.Threshold {
		return refuse(CodeUnauthorised, "%d signatures of the authority, %d are needed", len(op.Signatures), m.spec.Authority.Threshold)
	}
	if err := m.verify(op); err != nil {
		return err
	}
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return err
	}
	if op.Nonce != meta.AuthorityNonce {
		return refuse(CodeNonce, "nonce %d, the authority's next is %d", op.Nonce, meta.AuthorityNonce)
	}
	meta.AuthorityNonce++
	if err := save(m.tx, metaKey, meta); err != nil {
		return err
	}
	return run(b)
}

// open runs an operation that anybody may submit, since all in it is verified.
func open[T any, B record[T]](op *Operation, run func(B) error) error {
	if op.Account != (AccountID{}) || op.Nonce != 0 || len(op.Signatures) != 0 {
		return refuse(CodeMalformed, "%v carries no account, nonce or signature", Kind(op.Kind))
	}
	b, err := decodeBody[T, B](op)
	if err != nil {
		return err
	}
	return run(b)
}

func decodeBody[T any, B record[T]](op *Operation) (B, error) {
	b := B(new(T))
	if err := b.UnmarshalSSZ(op.Body); err != nil {
		return nil, refuse(CodeMalformed, "not a %v: %v", Kind(op.Kind), err)
	}
	return b, nil
}

// verify checks every signature of op.
func (m *machine) verify(op *Operation) error {
	root, err := op.signingRoot(m.law.Network(), m.spec.ID)
	if err != nil {
		return refuse(CodeMalformed, "%v", err)
	}
	for _, s := range op.Signatures {
		if !ed25519.Verify(s.Key[:], root[:], s.Signature[:]) {
			return refuse(CodeUnauthorised, "the signature of %v is wrong for chain %s of this network", AccountID(s.Key), m.spec.ID)
		}
	}
	return nil
}

// totals changes the ledger's sums.
func (m *machine) totals(change func(*Meta)) error {
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return err
	}
	change(meta)
	return save(m.tx, metaKey, meta)
}

// known reports whether chain is in the network.
func (m *machine) known(chain string) bool { return slices.Contains(m.chains, chain) }

// peer reads what this ledger knows of another chain.
func (m *machine) peer(chain string) (*Peer, error) {
	if chain == m.spec.ID || !m.known(chain) {
		return nil, refuse(CodeUnknown, "%q is not a peer of %s", chain, m.spec.ID)
	}
	return must[Peer](m.tx, peerKey(chain))
}

// checkpoint reads an accepted checkpoint of a peer.
func (m *machine) checkpoint(chain string, epoch uint64) (*PeerCheckpoint, error) {
	peer, err := must[Peer](m.tx, peerKey(chain))
	if err != nil {
		return nil, err
	}
	var cp *PeerCheckpoint
	if epoch <= peer.Accepted { // beyond it there may be records of a branch that was given up
		cp, err = load[PeerCheckpoint](m.tx, checkpointKey(chain, epoch))
	}
	if err == nil && cp == nil {
		err = refuse(CodeUnknown, "epoch %d of %s is not accepted here", epoch, chain)
	}
	return cp, err
}

// verifiedSet parses a set that travelled in an operation and checks that it is
// the one with this root.
func verifiedSet(v *attest.ValidatorSet, root [32]byte) (*attest.Set, error) {
	set, err := attest.NewSet(v)
	if err != nil {
		return nil, refuse(CodeInvalid, "validator set: %v", err)
	}
	if set.Root() != root {
		return nil, refuse(CodeInvalid, "validator set %.8x…, expected %.8x…", set.Root(), root)
	}
	return set, nil
}

func invalid(what string, err error) error {
	return refuse(CodeInvalid, "%s: %v", what, err)
}

// damaged is an error that is nobody's fault but the disk's.
func damaged(format string, args ...any) error {
	return fmt.Errorf("ledger state is damaged: "+format, args...)
}
