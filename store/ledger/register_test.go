package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// candidate is somebody with keys who is not a validator yet.
type candidate struct {
	account   ed25519.PrivateKey
	key       bls.SecretKey
	consensus ed25519.PrivateKey
}

func newCandidate(t *testing.T, account, keys string) candidate {
	t.Helper()
	seed := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	key, err := bls.DeriveMaster(seed("bls " + keys))
	must(t, err)
	return candidate{ed25519.NewKeyFromSeed(seed("account " + account)), key, ed25519.NewKeyFromSeed(seed("consensus " + keys))}
}

// register makes the signed operation. signAs may be another chain's id.
func (c candidate) register(t *testing.T, m *ledgertest.Mesh, signAs string, nonce uint64) *ledger.Operation {
	t.Helper()
	id := ledger.AccountOf(c.account)
	reg := &attest.Registration{
		ChainID: []byte(signAs), Account: id, Key: c.key.PublicKey().Bytes(),
		ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: c.consensus.Public().(ed25519.PublicKey)},
	}
	possession, err := attest.ProveRegistration(c.key, m.ID, reg)
	must(t, err)
	consensus, err := attest.SignRegistration(attest.Ed25519(c.consensus), m.ID, reg)
	must(t, err)
	return signedBy(t, m, "alpha", c.account)(ledger.NewRegister(id, nonce, &ledger.Register{
		Key: reg.Key, Possession: possession, KeyType: attest.KeyEd25519,
		ConsensusKey: reg.ConsensusKey.Bytes, ConsensusSignature: consensus,
	}))
}

func TestARegisteredValidatorWithStakeJoinsTheNextSet(t *testing.T) {
	m := play(t, 2, 3, nil)
	c := newCandidate(t, "new", "first")
	id := ledger.AccountOf(c.account)
	own := signedBy(t, m, "alpha", c.account)
	deposit := signedBy(t, m, "alpha", m.Chains[0].Authority)(ledger.NewDeposit(0, id, ledger.Units(500_000)))

	refused(t, m, "alpha", ledger.CodeUnknown, c.register(t, m, "alpha", 0)) // no account yet
	epoch(t, m, "alpha", deposit)
	refused(t, m, "alpha", ledger.CodeInvalid, c.register(t, m, "beta", 0)) // bound to another chain
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewPledge(id, 0, "alpha", id, ledger.Units(400_000), ledger.One/2)))
	epoch(t, m, "alpha", c.register(t, m, "alpha", 0))
	if got := len(m.Head("alpha").Set.Validators); got != 3 {
		t.Fatalf("%d validators: registered without stake is no member", got)
	}
	in, err := m.Input("alpha", own(ledger.NewPledge(id, 1, "alpha", id, ledger.Units(400_000), ledger.One/2)))
	must(t, err)
	r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
	must(t, err)
	found := false
	for _, v := range r.Set.Validators {
		if v.Account == id {
			found = v.Key == c.key.PublicKey().Bytes() && ledger.Amount(v.Power) == ledger.Units(400_000)
		}
	}
	if !found || len(r.Set.Validators) != 4 {
		t.Fatalf("the new validator is not in the next set with its key and power: %d members", len(r.Set.Validators))
	}
}

func TestKeysRotateAndAreNeverUsedTwice(t *testing.T) {
	m := play(t, 2, 3, nil)
	first, second := newCandidate(t, "one", "first"), newCandidate(t, "one", "second")
	thief := newCandidate(t, "two", "first") // another account, the first one's keys
	for i, c := range []candidate{first, thief} {
		epoch(t, m, "alpha", signedBy(t, m, "alpha", m.Chains[0].Authority)(ledger.NewDeposit(uint64(i), ledger.AccountOf(c.account), ledger.Units(10_000))))
	}
	epoch(t, m, "alpha", first.register(t, m, "alpha", 0))
	refused(t, m, "alpha", ledger.CodeDuplicate, thief.register(t, m, "alpha", 0))
	epoch(t, m, "alpha", second.register(t, m, "alpha", 1))
	refused(t, m, "alpha", ledger.CodeDuplicate, first.register(t, m, "alpha", 2))
	refused(t, m, "alpha", ledger.CodeDuplicate, thief.register(t, m, "alpha", 0))
	v, err := m.Reader("alpha").Validator(ledger.AccountOf(first.account))
	must(t, err)
	if v.Key != second.key.PublicKey().Bytes() {
		t.Error("the key did not rotate")
	}
}
