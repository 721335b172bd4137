package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// bodies are what the bodies of operations decode to.
var bodies = map[ledger.Kind]func() body{
	ledger.KindRegister:        func() body { return new(ledger.Register) },
	ledger.KindDeposit:         func() body { return new(ledger.Deposit) },
	ledger.KindWithdraw:        func() body { return new(ledger.Withdraw) },
	ledger.KindPledge:          func() body { return new(ledger.Pledge) },
	ledger.KindRelease:         func() body { return new(ledger.Release) },
	ledger.KindUpdatePeer:      func() body { return new(ledger.UpdatePeer) },
	ledger.KindConfirmPeer:     func() body { return new(ledger.ConfirmPeer) },
	ledger.KindImportStatement: func() body { return new(ledger.ImportStatement) },
	ledger.KindSubmitFault:     func() body { return new(ledger.SubmitFault) },

	ledger.KindRecordCertificate: func() body { return new(ledger.RecordCertificate) },
	ledger.KindSetParams:         func() body { return new(ledger.SetParams) },
	ledger.KindSetPeer:           func() body { return new(ledger.SetPeer) },
	ledger.KindTrustPeer:         func() body { return new(ledger.TrustPeer) },
	ledger.KindProveCover:        func() body { return new(ledger.ProveCover) },
	ledger.KindReleaseEscrow:     func() body { return new(ledger.ReleaseEscrow) },
	ledger.KindUnjail:            func() body { return new(ledger.Unjail) },
}

type body interface {
	MarshalSSZ() ([]byte, error)
	UnmarshalSSZ([]byte) error
}

// ready is a mesh under way, and operations of most kinds that its alpha would
// accept.
func ready(t testing.TB) (*ledgertest.Mesh, map[ledger.Kind]*ledger.Operation) {
	t.Helper()
	m := play(t, 2, 2, nil)
	crossPledge(t, m)
	for range 5 {
		round(t, m)
	}
	alpha := m.Chains[0]
	v, to := alpha.Validators[0], m.Chains[1].Validators[0].ID
	const nonce = 1 // crossPledge used 0
	ops := map[ledger.Kind]*ledger.Operation{}
	add := func(op *ledger.Operation, err error) {
		t.Helper()
		must(t, err)
		ops[ledger.Kind(op.Kind)] = op
	}
	keys := ledgertest.New(3, 1, nil).Chains[2].Validators[0] // nobody here has them
	reg := &attest.Registration{
		ChainID: []byte("alpha"), Account: v.ID, Key: keys.Key.PublicKey().Bytes(),
		ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: keys.Consensus.Public().(ed25519.PublicKey)},
	}
	possession, err := attest.ProveRegistration(keys.Key, m.ID, reg)
	must(t, err)
	consensus, err := attest.SignRegistration(keys.Secret(), m.ID, reg)
	must(t, err)
	add(ledger.NewRegister(v.ID, nonce, &ledger.Register{
		Key: reg.Key, Possession: possession, KeyType: reg.ConsensusKey.Type, ConsensusKey: reg.ConsensusKey.Bytes, ConsensusSignature: consensus,
	}))
	add(ledger.NewDeposit(2, v.ID, ledger.Units(1000)))
	add(ledger.NewWithdraw(v.ID, nonce, ledger.Units(1000)))
	add(ledger.NewPledge(v.ID, nonce, "beta", to, ledger.Units(1000), ledger.One/10*3))
	add(ledger.NewRelease(v.ID, nonce, "beta", to, ledger.Units(1000)))
	relayed, err := m.Relay("alpha")
	must(t, err)
	for _, op := range relayed {
		add(op, nil)
	}
	proof, err := m.DoubleVote("beta", 3, 1)
	must(t, err)
	add(m.SubmitFault("alpha", proof, v.ID))
	return m, ops
}

// authorise signs an operation of alpha as its kind needs it, whatever its body is.
func authorise(t testing.TB, m *ledgertest.Mesh, op *ledger.Operation) {
	alpha := m.Chains[0]
	switch ledger.Kind(op.Kind) {
	case ledger.KindDeposit, ledger.KindSetParams, ledger.KindSetPeer, ledger.KindTrustPeer, ledger.KindReleaseEscrow:
		must(t, op.Sign(m.ID, "alpha", alpha.Authority))
	case ledger.KindRegister, ledger.KindWithdraw, ledger.KindPledge, ledger.KindRelease, ledger.KindUnjail:
		must(t, op.Sign(m.ID, "alpha", alpha.Validators[0].Account))
	}
}

// FuzzBody puts anything into a well-signed operation of any kind. The ledger
// answers with a receipt; what it refuses changes nothing, what it accepts conserves.
func FuzzBody(f *testing.F) {
	m, valid := ready(f)
	for kind, decode := range bodies {
		f.Add(uint8(kind), []byte{})
		if op := valid[kind]; op != nil {
			f.Add(uint8(kind), op.Body)
		} else if empty, err := decode().MarshalSSZ(); err == nil {
			f.Add(uint8(kind), empty)
		}
	}
	parent := m.Tree("alpha").Root()
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		op := &ledger.Operation{Kind: kind, Body: b}
		switch known := valid[ledger.Kind(kind)]; {
		case known != nil:
			op.Account, op.Nonce = known.Account, known.Nonce
		case ledger.Kind(kind) == ledger.KindUnjail:
			op.Account, op.Nonce = valid[ledger.KindWithdraw].Account, valid[ledger.KindWithdraw].Nonce
		case ledger.Kind(kind) == ledger.KindRecordCertificate, ledger.Kind(kind) == ledger.KindProveCover:
		default: // of the authority
			op.Nonce = valid[ledger.KindDeposit].Nonce
		}
		if _, err := ledger.EncodeOperation(op); err != nil {
			return // too large
		}
		authorise(t, m, op)
		in, err := m.Input("alpha", op)
		if err != nil {
			return // too large with its signature
		}
		r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
		must(t, err)
		code := ledger.Code(r.Receipts[0].Code)
		if code != ledger.CodeOK && r.Transcript.Steps[0].Root != parent {
			t.Fatalf("a refused %v changed the root", ledger.Kind(kind))
		}
		recount(t, "alpha", m.Reading(r))
		decode := bodies[ledger.Kind(kind)]
		if decode == nil {
			return
		}
		d := decode()
		if err := d.UnmarshalSSZ(b); err != nil {
			if code != ledger.CodeMalformed {
				t.Fatalf("%v that does not decode: %v", ledger.Kind(kind), code)
			}
			return
		}
		if again, err := d.MarshalSSZ(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%v is not canonical: %x became %x, %v", ledger.Kind(kind), b, again, err)
		}
	})
}

// The seeds of FuzzBody are worth fuzzing: most are accepted as they are.
func TestFuzzedBodiesAreAccepted(t *testing.T) {
	m, valid := ready(t)
	if len(valid) != 9 {
		t.Fatalf("%d kinds", len(valid))
	}
	for kind, op := range valid {
		authorise(t, m, op)
		in, err := m.Input("alpha", op)
		must(t, err)
		r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
		must(t, err)
		if r.Receipts[0].Code != 0 {
			t.Errorf("%v: %v %s", kind, ledger.Code(r.Receipts[0].Code), r.Receipts[0].Reason)
		}
	}
}
