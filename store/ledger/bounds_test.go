package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// narrow is a chain whose epochs hold as little as a manifest may say.
func narrow(n *ledger.Manifest) {
	for _, c := range n.Chains {
		c.Params.Limits = ledger.Limits{Bytes: ledger.MinLimitBytes, Records: ledger.MinLimitRecords, Slashes: 16}
	}
}

// deposits are n deposits into fresh accounts, numbered from first.
func deposits(t *testing.T, m *ledgertest.Mesh, chain string, first, n int) []*ledger.Operation {
	t.Helper()
	nonce := authorityNonce(t, m, chain)
	out := make([]*ledger.Operation, n)
	for i := range out {
		id := ledger.AccountID(sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(first+i))))
		out[i] = byAuthority(t, m, chain)(ledger.NewDeposit(nonce+uint64(i), id, ledger.Units(1)))
	}
	return out
}

func accounts(t *testing.T, m *ledgertest.Mesh, chain string) int {
	t.Helper()
	a, err := m.Reader(chain).Accounts()
	must(t, err)
	return len(a)
}

func TestWhatExceedsAnEpochWaitsInItsOrder(t *testing.T) {
	m := play(t, 1, 4, narrow)
	before := accounts(t, m, "alpha")
	ops := deposits(t, m, "alpha", 0, 2000) // the nonces hold only in this order
	r, err := m.Epoch("alpha", ops...)
	must(t, err)
	conserved(t, m, "alpha")
	executed, queued := 0, 0
	for _, receipt := range r.Receipts {
		switch ledger.Code(receipt.Code) {
		case ledger.CodeOK:
			if queued > 0 {
				t.Fatal("one overtook another")
			}
			executed++
		case ledger.CodeQueued:
			queued++
		default:
			t.Fatalf("%v: %s", ledger.Code(receipt.Code), receipt.Reason)
		}
	}
	if executed == 0 || queued == 0 || accounts(t, m, "alpha") != before+executed {
		t.Fatalf("%d executed, %d queued, %d accounts", executed, queued, accounts(t, m, "alpha"))
	}
	// Later ones wait behind them, whatever room there is.
	late := byAuthority(t, m, "alpha")(ledger.NewDeposit(2000, ledger.AccountID{1}, ledger.Units(1)))
	parent, tree := m.Head("alpha"), m.Tree("alpha")
	r, err = m.Epoch("alpha", late)
	must(t, err)
	conserved(t, m, "alpha")
	last := len(r.Receipts) - 1 // and the first: one that waited, and one that is to wait
	for _, i := range []int{0, last} {
		w, err := ledger.WitnessStep(m.Manifest, parent.Checkpoint, tree, r.Input, i)
		must(t, err)
		step, _, err := ledger.ReplayStep(m.Manifest, "alpha", r.Checkpoint.Epoch, w)
		must(t, err)
		if *step != *r.Transcript.Steps[i] {
			t.Fatalf("step %d: %+v, the transcript has %+v", i, step, r.Transcript.Steps[i])
		}
	}
	done := 0
	for i, step := range r.Transcript.Steps {
		if step.Kind == ledger.StepLate {
			if r.Receipts[i].Code != 0 {
				t.Fatalf("late: %s", r.Receipts[i].Reason)
			}
			done++
		}
	}
	if done == 0 || ledger.Code(r.Receipts[done].Code) != ledger.CodeQueued {
		t.Fatalf("%d late steps, then %v", done, ledger.Code(r.Receipts[done].Code))
	}
	for range 4 {
		epoch(t, m, "alpha")
	}
	if got := accounts(t, m, "alpha"); got != before+2001 {
		t.Fatalf("%d accounts", got)
	}
	r = epoch(t, m, "alpha", deposits(t, m, "alpha", 5000, 1)...)
	if r.Receipts[0].Code != 0 {
		t.Fatal("the queue is empty, and still it waits")
	}
}

// A flood of operations that cost their sender nothing here can't keep a fault proof
// out: a quarter of the epoch is reserved, and the two kinds wait in different queues.
func TestAFloodDoesNotKeepAFaultProofOut(t *testing.T) {
	m := play(t, 1, 4, narrow)
	epoch(t, m, "alpha")
	proof, err := m.DoubleVote("alpha", 1, 2)
	must(t, err)
	fault, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	flood := make([]*ledger.Operation, 0, 60)
	for i := range 60 {
		op := &ledger.Operation{Kind: uint8(ledger.KindWithdraw), Account: ledger.AccountID{9}, Body: make([]byte, 100_000)}
		op.Nonce = uint64(i)
		flood = append(flood, op)
	}
	r, err := m.Epoch("alpha", append(flood, fault)...)
	must(t, err)
	if last := r.Receipts[len(r.Receipts)-1]; last.Code != 0 {
		t.Fatalf("%v: %s", ledger.Code(last.Code), last.Reason)
	}
	if faults, err := m.Reader("alpha").Faults(); err != nil || len(faults) != 1 {
		t.Fatalf("%+v, %v", faults, err)
	}
}

// A flood of operations that anybody may submit, which fills every epoch before it begins,
// does not keep those of accounts and the authority waiting for ever; nor does a flood of
// both keep a fault proof out.
func TestAFloodDoesNotKeepSignedOperationsOut(t *testing.T) {
	m := play(t, 1, 4, narrow)
	flood := func(first, n int, kind ledger.Kind) (out []*ledger.Operation) {
		for i := range n { // twenty of them fill an epoch
			op := &ledger.Operation{Kind: uint8(kind), Account: ledger.AccountID{9}, Nonce: uint64(first + i), Body: make([]byte, 104_700)}
			out = append(out, op)
		}
		return out
	}
	before := accounts(t, m, "alpha")
	_, err := m.Epoch("alpha", append(flood(0, 40, ledger.KindUpdatePeer), deposits(t, m, "alpha", 0, 1)...)...)
	must(t, err)
	_, err = m.Epoch("alpha", flood(40, 20, ledger.KindUpdatePeer)...)
	must(t, err)
	if accounts(t, m, "alpha") != before+1 {
		t.Fatal("the deposit still waits behind operations that anybody can submit")
	}
	proof, err := m.DoubleVote("alpha", 1, 2)
	must(t, err)
	fault, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	_, err = m.Epoch("alpha", append(flood(60, 200, ledger.KindWithdraw), append(flood(260, 20, ledger.KindUpdatePeer), fault)...)...)
	must(t, err)
	for i := range 6 {
		if i == 5 {
			t.Fatal("the proof still waits")
		}
		parent, tree := m.Head("alpha"), m.Tree("alpha")
		r, err := m.Epoch("alpha", flood(300+20*i, 20, ledger.KindWithdraw)...)
		must(t, err)
		for _, i := range []int{0, 5, 6, 19} { // of both queues
			w, err := ledger.WitnessStep(m.Manifest, parent.Checkpoint, tree, r.Input, i)
			must(t, err)
			step, _, err := ledger.ReplayStep(m.Manifest, "alpha", r.Checkpoint.Epoch, w)
			must(t, err)
			if *step != *r.Transcript.Steps[i] {
				t.Fatalf("step %d: %+v, the transcript has %+v", i, step, r.Transcript.Steps[i])
			}
		}
		faults, err := m.Reader("alpha").Faults()
		must(t, err)
		if len(faults) == 1 {
			break
		}
	}
}

// The largest operation fits the state in which it waits.
func TestTheLargestOperationCanWait(t *testing.T) {
	m := play(t, 1, 4, narrow)
	var all []*ledger.Operation
	for i := range 6 {
		op := &ledger.Operation{Kind: uint8(ledger.KindSubmitFault), Nonce: uint64(i)}
		empty, err := op.MarshalSSZ()
		must(t, err)
		op.Body = make([]byte, ledger.MaxSubmitFault-len(empty))
		all = append(all, op)
	}
	r, err := m.Epoch("alpha", all...)
	must(t, err)
	if last := r.Receipts[5]; ledger.Code(last.Code) != ledger.CodeQueued {
		t.Fatalf("%v: %s", ledger.Code(last.Code), last.Reason)
	}
	r, err = m.Epoch("alpha")
	must(t, err)
	if step := r.Transcript.Steps[0]; step.Kind != ledger.StepLate {
		t.Errorf("%+v", step)
	}
}

// What waits takes room in the state, so that it too is bounded.
func TestAFullQueueRefuses(t *testing.T) {
	m := play(t, 1, 4, narrow)
	var flood []*ledger.Operation
	for i := range 9 * 4 * 5 { // five of them make half a MiB, and eight epochs of four times that may wait
		flood = append(flood, &ledger.Operation{Kind: uint8(ledger.KindWithdraw), Account: ledger.AccountID{9}, Nonce: uint64(i), Body: make([]byte, 104_800)})
	}
	r, err := m.Epoch("alpha", flood...)
	must(t, err)
	codes := map[ledger.Code]int{}
	for _, receipt := range r.Receipts {
		codes[ledger.Code(receipt.Code)]++
	}
	if codes[ledger.CodeQueued] != 8*4*5 || codes[ledger.CodeLimit] == 0 || ledger.Code(r.Receipts[len(flood)-1].Code) != ledger.CodeLimit {
		t.Fatalf("%v", codes)
	}
	for range 12 { // it empties, into refusals
		_, err := m.Epoch("alpha")
		must(t, err)
	}
	if r := epoch(t, m, "alpha", deposits(t, m, "alpha", 0, 1)...); r.Receipts[0].Code != 0 {
		t.Fatal("the queue never empties")
	}
}

// A slash over more liens than an epoch looks at goes on in the next ones; until it has
// passed, nothing that it could reach leaves.
func TestALongSlashGoesOnFromItsCursor(t *testing.T) {
	const delegators = 50
	m := play(t, 1, 4, narrow)
	offender := m.Chains[0].Validators[2].ID
	keys := make([]ed25519.PrivateKey, delegators)
	nonce := uint64(0)
	for i := range keys {
		seed := sha256.Sum256([]byte{byte(i)})
		keys[i] = ed25519.NewKeyFromSeed(seed[:])
		id := ledger.AccountOf(keys[i])
		d := byAuthority(t, m, "alpha")(ledger.NewDeposit(nonce, id, ledger.Units(10_000)))
		p := signedBy(t, m, "alpha", keys[i])(ledger.NewPledge(id, 0, "alpha", offender, ledger.Units(10_000), ledger.One/2))
		nonce++
		epoch(t, m, "alpha", d, p)
	}
	at := m.Head("alpha").Checkpoint.Epoch + 1
	epoch(t, m, "alpha")
	proof, err := m.DoubleVote("alpha", at, 2)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	last := ledger.AccountOf(keys[delegators-1])
	withdraw := func() *ledger.Operation {
		return signedBy(t, m, "alpha", keys[delegators-1])(ledger.NewWithdraw(last, 1, ledger.Units(1)))
	}
	release := func() *ledger.Operation {
		return signedBy(t, m, "alpha", keys[delegators-1])(ledger.NewRelease(last, 1, "alpha", m.Chains[0].Validators[2].ID, ledger.Units(1)))
	}
	count := func() uint64 {
		n, err := m.Reader("alpha").SlashCount()
		must(t, err)
		return n
	}
	epoch(t, m, "alpha") // the challenge window of two epochs
	rounds := 0
	for done := false; !done; rounds++ {
		if rounds > 10 {
			t.Fatal("it never ends")
		}
		refused(t, m, "alpha", ledger.CodeFrozen, release())
		refused(t, m, "alpha", ledger.CodeVault, withdraw())
		n := count()
		epoch(t, m, "alpha")
		if count() > n+16 {
			t.Fatalf("%d slashes in one epoch", count()-n)
		}
		faults, err := m.Reader("alpha").Faults()
		must(t, err)
		done = faults[0].Executed
	}
	if count() != delegators+1 || rounds != 4 { // 51 liens, 16 an epoch
		t.Fatalf("%d slashes in %d epochs", count(), rounds)
	}
	refused(t, m, "alpha", ledger.CodeVault, withdraw())
}

// However much a home chain orders, an epoch takes what its blocks have room for, from the
// blocks in turn; and nothing else is its input.
func TestAnEpochTakesWhatItHasRoomFor(t *testing.T) {
	m := play(t, 1, 4, narrow)
	spec, parent := m.Manifest.Chain("alpha"), m.Head("alpha").Checkpoint
	first, n := parent.Height+1, spec.EpochBlocks
	large := &ledger.Bytes{Data: make([]byte, attest.MaxOperation)}
	block := func(height uint64, ops ...*ledger.Bytes) ledger.Block {
		return ledger.Block{Height: height, Time: parent.Time, Operations: ops}
	}
	in := &ledger.EpochInput{ChainID: []byte("alpha"), Epoch: parent.Epoch + 1}
	flood := slices.Repeat([]*ledger.Bytes{large}, int(2*attest.EpochRoom(1, 1)/attest.MaxOperation))
	taken := uint64(0)
	for i := range n {
		in.Append(spec, block(first+i, flood...))
		if uint64(len(in.Blocks)) != i+1 {
			t.Fatalf("block %d has nothing", i)
		}
		taken += uint64(len(in.Blocks[i].Operations)) * attest.OrderedSize(attest.MaxOperation)
		if room := attest.EpochRoom(i+1, n); taken < room || taken >= room+attest.OrderedSize(attest.MaxOperation) {
			t.Fatalf("%d bytes after block %d of %d, there is room for %d", taken, i+1, n, room)
		}
	}
	must(t, in.Check(spec, parent))
	r, err := ledger.Execute(m.Manifest, parent, m.Tree("alpha"), in)
	must(t, err)
	if last := r.Transcript.Steps[len(r.Transcript.Steps)-1]; last.Spent.Ordered != taken {
		t.Errorf("the transcript says %d, taken were %d", last.Spent.Ordered, taken)
	}
	last := in.Blocks[n-1]
	last.Operations = append(last.Operations, &ledger.Bytes{Data: []byte{1}})
	if err := in.Check(spec, parent); err == nil {
		t.Error("an input beyond the room is taken")
	}
	// Nor can a transcript have a step of it, which takes no state to see.
	forged := *r.Transcript
	i := slices.IndexFunc(forged.Steps, func(s *ledger.Step) bool { return s.Kind == ledger.StepEnd })
	more := *forged.Steps[i-1]
	more.Operation = ledger.OperationID([]byte{1})
	more.Spent.Ordered += attest.OrderedSize(1)
	forged.Steps = slices.Insert(slices.Clone(forged.Steps), i, &more)
	cp := *r.Checkpoint
	cp.OpsRoot, err = forged.HashTreeRoot()
	must(t, err)
	evidence, err := ledger.FindBreach(m.Manifest, parent, &cp, m.Tree("alpha"), &forged, in.Operations())
	must(t, err)
	if b := decodeBreach(t, evidence); b.Rule != ledger.BreachOrder {
		t.Errorf("proven by %s", ledger.DescribeBreach(evidence))
	}
	// What is not used is left to later blocks.
	in = &ledger.EpochInput{ChainID: []byte("alpha"), Epoch: parent.Epoch + 1}
	for i := range n - 1 {
		in.Append(spec, block(first+i))
	}
	in.Append(spec, block(first+n-1, flood...))
	if len(in.Blocks) != 1 || uint64(len(in.Blocks[0].Operations)) != (attest.EpochRoom(1, 1)+attest.OrderedSize(attest.MaxOperation)-1)/attest.OrderedSize(attest.MaxOperation) {
		t.Errorf("%d blocks", len(in.Blocks))
	}
}

// A block of rubbish is as many steps as a block of operations. An epoch full of them, with
// what waited and all slashes that may be executed, one a step, must fit its transcript,
// and leave room for the rest of its end.
func TestATranscriptHoldsTheLongestEpoch(t *testing.T) {
	const steps, waited, rest = 1 << 20, 2 << 14, 1 << 16
	if ledger.MaxEpochBlocks*attest.MaxBlockOperations+waited+ledger.MaxLimitSlashes+rest > steps {
		t.Fatal("an epoch can have more steps than a transcript holds")
	}
	full := &ledger.Transcript{Steps: slices.Repeat([]*ledger.Step{{}}, steps)}
	_, err := full.HashTreeRoot()
	must(t, err)
	full.Steps = append(full.Steps, full.Steps[0])
	if _, err := full.HashTreeRoot(); err == nil {
		t.Fatalf("a transcript holds more than %d steps", steps)
	}
}
