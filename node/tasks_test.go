package node

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// office is the desk of each chain of a network that is played without a mesh: what
// the desks derive is all that the ledgers are told.
type office struct {
	t     *testing.T
	mesh  *ledgertest.Mesh
	store *store.Store
	keys  map[[48]byte]bls.SecretKey
	known map[string]*knowledge
}

func newOffice(t *testing.T, chains, validators int) *office {
	t.Helper()
	network := ledgertest.New(chains, validators, nil)
	mesh, err := ledgertest.Play(network)
	check(t, err)
	s, err := store.Open("", network.Manifest, store.Options{InMemory: true})
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	o := &office{t: t, mesh: mesh, store: s, keys: make(map[[48]byte]bls.SecretKey), known: make(map[string]*knowledge)}
	for _, c := range network.Chains {
		o.known[c.ID] = &knowledge{cross: make(map[string][]*attest.CrossCertificate)}
		for _, v := range c.Validators {
			o.keys[v.Key.PublicKey().Bytes()] = v.Key
		}
	}
	return o
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *office) desk(chain string) *desk {
	return &desk{manifest: o.mesh.Manifest, spec: o.mesh.Manifest.Chain(chain), archive: o.store, reporter: ledger.AccountID{9}}
}

func (o *office) tasks(chain string) []task {
	o.t.Helper()
	tasks, err := o.desk(chain).tasks(o.mesh.Reader(chain), *o.known[chain])
	check(o.t, err)
	return tasks
}

// epoch runs the next epoch of a chain with what its desk derives and other
// operations, certifies it, and has the validators sign what they claim after it.
func (o *office) epoch(chain string, others ...*ledger.Operation) []task {
	o.t.Helper()
	tasks := o.tasks(chain)
	ops := others
	for _, t := range tasks {
		op, err := t.build()
		check(o.t, err)
		if id, ok := taskOf(op); !ok || id != t.id {
			o.t.Errorf("%s: the operation is not recognised as the task", t.name)
		}
		ops = append(ops, op)
	}
	r, err := o.mesh.Epoch(chain, ops...)
	check(o.t, err)
	for i, receipt := range r.Receipts {
		if receipt.Code != 0 {
			o.t.Errorf("%s epoch %d: operation %d failed: %s", chain, r.Checkpoint.Epoch, i, receipt.Reason)
		}
	}
	check(o.t, o.store.Commit(chain, r))
	set, err := o.store.Set(chain, r.Checkpoint.Epoch)
	check(o.t, err)
	tally := attest.NewTally(o.mesh.ID, set, chain, r.Checkpoint.Epoch)
	for i := range set.Len() {
		a, err := attest.SignAttestation(o.keys[set.At(i).Key], o.mesh.ID, r.Checkpoint)
		check(o.t, err)
		v, err := attest.VerifyAttestation(o.mesh.ID, set, a)
		check(o.t, err)
		tally.Add(v)
	}
	c, ok := tally.Certificate()
	if !ok {
		o.t.Fatal("no quorum")
	}
	v, err := attest.VerifyCertificate(o.mesh.ID, set, c)
	check(o.t, err)
	_, err = o.store.PutCertificate(v)
	check(o.t, err)
	o.claim(chain)
	return tasks
}

func (o *office) claim(chain string) {
	o.t.Helper()
	claims, err := o.mesh.Reader(chain).Claims()
	check(o.t, err)
	for _, claim := range claims {
		set, err := o.store.Set(chain, claim.Epoch)
		check(o.t, err)
		tally := attest.NewCrossTally(o.mesh.ID, set, chain, claim.Epoch, string(claim.Peer))
		for i := range set.Len() {
			a, err := attest.SignCrossAttestation(o.keys[set.At(i).Key], o.mesh.ID, claim)
			check(o.t, err)
			v, err := attest.VerifyCrossAttestation(o.mesh.ID, set, a)
			check(o.t, err)
			tally.Add(v)
		}
		c, ok := tally.Certificate()
		if !ok {
			o.t.Fatal("no quorum for a claim")
		}
		o.known[chain].cross[string(claim.Peer)] = append(o.known[chain].cross[string(claim.Peer)], c)
	}
}

func TestWhatTheDeskDerivesSucceedsAndIsNotDerivedAgain(t *testing.T) {
	o := newOffice(t, 3, 2)
	for range 10 {
		for _, chain := range o.mesh.Manifest.ChainIDs() {
			done := make(map[[32]byte]bool)
			for _, x := range o.epoch(chain) {
				done[x.id] = true
			}
			for _, x := range o.tasks(chain) {
				if done[x.id] {
					t.Errorf("%s: %s is derived again", chain, x.name)
				}
			}
		}
	}
	for _, chain := range o.mesh.Manifest.ChainIDs() {
		peers, err := o.mesh.Reader(chain).Peers()
		check(t, err)
		for _, p := range peers {
			if p.Accepted < 9 || p.Confirmed < 7 || p.Final < 5 {
				t.Errorf("%s follows %s only to %d accepted, %d confirmed, %d final", chain, p.Chain, p.Accepted, p.Confirmed, p.Final)
			}
		}
	}
}

func TestChangedStatementIsImported(t *testing.T) {
	o := newOffice(t, 2, 2)
	lender := o.mesh.Chains[0].Validators[0]
	pledge, err := ledger.NewPledge(lender.ID, 0, "beta", o.mesh.Chains[1].Validators[0].ID, ledger.Units(100_000), ledger.One/20)
	check(t, err)
	check(t, pledge.Sign(o.mesh.ID, "alpha", lender.Account))
	imports := 0
	for i := range 10 {
		if i == 0 {
			o.epoch("alpha", pledge)
		} else {
			o.epoch("alpha")
		}
		for _, x := range o.epoch("beta") {
			if strings.HasPrefix(x.name, "import") {
				imports++
			}
		}
	}
	in, err := o.mesh.Reader("beta").Import("alpha")
	check(t, err)
	if in == nil || ledger.Amount(in.Statement.Amount) != ledger.Units(100_000) {
		t.Fatalf("import = %+v", in)
	}
	if imports > 5 {
		t.Errorf("%d imports in ten epochs for one change: only a new or an old statement is worth one", imports)
	}
}

func TestFaultIsSubmittedOnceItsSetIsKnown(t *testing.T) {
	o := newOffice(t, 2, 4)
	o.epoch("beta")
	o.epoch("beta")
	proof, err := o.mesh.DoubleVote("beta", 2, 1)
	check(t, err)
	set, err := o.store.Set("beta", 2)
	check(t, err)
	fault, err := attest.VerifyFault(o.mesh.ID, set, proof)
	check(t, err)
	for _, k := range o.known {
		k.faults = append(k.faults, fault)
	}
	if f := faultTasks(o.tasks("alpha")); f != 0 {
		t.Errorf("%d submissions to a ledger that does not know the set", f)
	}
	if f := faultTasks(o.tasks("beta")); f != 1 {
		t.Errorf("%d submissions to the offender's own ledger, want 1", f)
	}
	o.epoch("alpha")
	if f := faultTasks(o.tasks("alpha")); f != 1 {
		t.Errorf("%d submissions once the set is known, want 1", f)
	}
	o.epoch("alpha")
	o.epoch("beta")
	for _, chain := range []string{"alpha", "beta"} {
		if f := faultTasks(o.tasks(chain)); f != 0 {
			t.Errorf("%s: %d submissions of what is recorded", chain, f)
		}
	}
	// Another proof of the same offence says nothing new.
	again, err := attest.VerifyFault(o.mesh.ID, set, otherProof(t, o, set))
	check(t, err)
	o.known["alpha"].faults = append(o.known["alpha"].faults, again)
	if f := faultTasks(o.tasks("alpha")); f != 0 {
		t.Errorf("%d submissions of a second proof of one offence", f)
	}
}

// A proof that somebody submitted without the statement that was in force right before
// the offence is submitted again with it, once.
func TestWhatASubmissionLeftOutIsBrought(t *testing.T) {
	o := newOffice(t, 2, 4)
	v, to := o.mesh.Chains[0].Validators[0], o.mesh.Chains[1].Validators[1].ID
	pledge, err := ledger.NewPledge(v.ID, 0, "beta", to, ledger.Units(100_000), ledger.One/10)
	check(t, err)
	check(t, pledge.Sign(o.mesh.ID, "alpha", v.Account))
	o.epoch("alpha", pledge)
	for imported := false; !imported; { // beta's validators have power by it
		o.epoch("beta")
		o.epoch("alpha")
		in, err := o.mesh.Reader("beta").Import("alpha")
		check(t, err)
		if imported = in != nil && len(in.Statement.Entries) > 0; !imported && o.mesh.Head("beta").Checkpoint.Epoch > 30 {
			t.Fatal("the statement was never imported")
		}
	}
	o.epoch("beta")
	at := o.mesh.Head("beta").Checkpoint.Epoch
	proof, err := o.mesh.DoubleVote("beta", at, 1)
	check(t, err)
	set, err := o.store.Set("beta", at)
	check(t, err)
	fault, err := attest.VerifyFault(o.mesh.ID, set, proof)
	check(t, err)
	o.epoch("alpha") // takes beta's checkpoint
	sly, err := o.mesh.SubmitFault("alpha", proof, ledger.AccountID{})
	check(t, err)
	o.epoch("alpha", sly)
	offence := func() *ledger.Offence {
		off, err := o.mesh.Reader("alpha").Offender("beta", to)
		check(t, err)
		if off == nil {
			t.Fatal("nobody was convicted")
		}
		return off.Offences[0]
	}
	if x := offence(); x.Reference != 0 || x.Later != 0 {
		t.Fatalf("the first submission refers to a statement already: %+v", x)
	}
	o.known["alpha"].faults = append(o.known["alpha"].faults, fault)
	reader := o.mesh.Reader("alpha")
	meta, err := reader.Meta()
	check(t, err)
	if f := faultTasks(o.tasks("alpha")); f != 1 || o.desk("alpha").settled(reader, meta, fault) {
		t.Fatalf("%d submissions of what was left out, want 1", f)
	}
	o.epoch("alpha")
	if offence().Later == 0 {
		t.Error("what was left out was not brought")
	}
	reader = o.mesh.Reader("alpha")
	if f := faultTasks(o.tasks("alpha")); f != 0 || !o.desk("alpha").settled(reader, meta, fault) {
		t.Errorf("%d submissions of what is known", f)
	}
}

// otherProof is one of the same offence as DoubleVote's: with another forgery.
func otherProof(t *testing.T, o *office, set *attest.Set) *attest.FaultProof {
	t.Helper()
	first, err := o.mesh.DoubleVote("beta", 2, 1)
	check(t, err)
	accusation, err := attest.Peek(first)
	check(t, err)
	var sides []*attest.Certificate
	for variant := range byte(2) {
		for i := range accusation.Accused.Ones() {
			cp := &attest.Checkpoint{ChainID: []byte("beta"), Epoch: 2, OpsRoot: [32]byte{200, variant}}
			a, err := attest.SignAttestation(o.keys[set.At(i).Key], o.mesh.ID, cp)
			check(t, err)
			v, err := attest.VerifyAttestation(o.mesh.ID, set, a)
			check(t, err)
			sides = append(sides, v.Aggregate().Certificate())
		}
	}
	proof, err := attest.BuildDoubleVote(set, sides[0], sides[1])
	check(t, err)
	return proof
}

func faultTasks(tasks []task) (n int) {
	for _, x := range tasks {
		if strings.HasPrefix(x.name, "submit") {
			n++
		}
	}
	return n
}

func TestDifferingStepIsNamed(t *testing.T) {
	step := func(op, receipt, root byte) *ledger.Step {
		return &ledger.Step{Height: 3, Operation: [32]byte{op}, Receipt: [32]byte{receipt}, Root: [32]byte{root}}
	}
	end := &ledger.Step{Kind: ledger.StepEnd, Root: [32]byte{9}}
	base := []*ledger.Step{step(1, 1, 1), step(2, 2, 2), end}
	for _, tc := range []struct {
		name  string
		other []*ledger.Step
		want  string
	}{
		{"equal", base, "all steps are equal"},
		{"operation", []*ledger.Step{step(1, 1, 1), step(7, 2, 2), end}, "step 1: here operation 02"},
		{"receipt", []*ledger.Step{step(1, 7, 1), step(2, 2, 2), end}, "receipt of step 0"},
		{"root", []*ledger.Step{step(1, 1, 1), step(2, 2, 7), end}, "root after step 1"},
		{"missing operation", []*ledger.Step{step(1, 1, 1), end}, "there the end of the epoch"},
		{"shorter", base[:2], "here 3, there 2"},
	} {
		got := differingStep(&ledger.Transcript{Steps: base}, &ledger.Transcript{Steps: tc.other})
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q in it", tc.name, got, tc.want)
		}
	}
}
