package ledger_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/big"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/ledger/ledgertest/twin"
)

// twinManifest has windows of few epochs (of 5 s), validators of very different
// power, and liens so small that every rounding shows.
func twinManifest(m *ledger.Manifest) {
	for _, c := range m.Chains {
		p := &c.Params
		p.ChallengeWindow, p.StatementExpiry, p.EvidenceAge = ledger.Window{Epochs: 1}, 1000, ledger.Window{Time: 10_000}
		p.Unbonding, p.Correlation = ledger.Window{Epochs: 2, Time: 12_000}, ledger.Window{Epochs: 2, Time: 12_000}
		p.MinLien = ledger.Units(3)
		for i, a := range c.Accounts {
			a.Liens[0].Amount = ledger.Units([]uint64{2000, 9000, 100, 70_000}[i%4])
		}
	}
}

// both is a ledger and its twin: that of the first chain of a mesh, whose other
// chains are its consumers.
type both struct {
	t       testing.TB
	mesh    *ledgertest.Mesh
	home    *ledgertest.Chain
	rules   twin.Rules
	history []twin.Event
	keys    map[ledger.AccountID]ed25519.PrivateKey
	nonces  map[ledger.AccountID]uint64
	orders  uint64 // of the authority
	known   map[string]bool
	twin    *twin.Ledger

	accounts []ledger.AccountView // as they were compared last
	liens    []ledger.LienView
}

func newBoth(t testing.TB, n *ledgertest.Network) *both {
	mesh, err := ledgertest.Play(n)
	must(t, err)
	b := &both{
		t: t, mesh: mesh, home: n.Chains[0],
		keys: map[ledger.AccountID]ed25519.PrivateKey{}, nonces: map[ledger.AccountID]uint64{}, known: map[string]bool{},
	}
	spec := n.Manifest.Chain(b.home.ID)
	b.rules = twin.Rules{Home: spec.ID, Params: spec.Params, Time: n.Manifest.Genesis, Pledgeable: func(consumer string, validator ledger.AccountID) bool {
		for _, c := range n.Chains {
			for _, v := range c.Validators {
				if c.ID == consumer && v.ID == validator {
					return true
				}
			}
		}
		return false
	}}
	for _, a := range spec.Accounts {
		b.history = append(b.history, twin.Deposit{Account: a.ID, Amount: whole(a.Collateral)})
		for _, l := range a.Liens {
			b.history = append(b.history, twin.Pledge{Account: a.ID, Consumer: l.Consumer, Validator: l.Validator, Amount: whole(l.Amount), Ratio: uint64(l.Ratio)})
		}
	}
	for _, c := range n.Chains[1:] {
		b.rules.Peers = append(b.rules.Peers, c.ID)
		b.history = append(b.history, twin.Followed{Chain: c.ID, Time: n.Manifest.Genesis})
	}
	b.history = append(b.history, twin.End{})
	for _, v := range b.home.Validators {
		b.keys[v.ID] = v.Account
	}
	b.twin = twin.Replay(b.rules, b.history)
	b.compare()
	return b
}

func whole(a ledger.Amount) *big.Int { return a.Int().ToBig() }

func amount(x *big.Int) ledger.Amount { return ledger.NewAmount(uint256.MustFromBig(x)) }

// twinKeys are made once: they cost as much as a signature.
var twinKeys = map[int]ed25519.PrivateKey{}

func twinKey(i int) ed25519.PrivateKey {
	if twinKeys[i] == nil {
		seed := make([]byte, 32)
		binary.BigEndian.PutUint64(seed, uint64(i+1))
		twinKeys[i] = ed25519.NewKeyFromSeed(seed)
	}
	return twinKeys[i]
}

// epoch runs one on both: what the nodes relay, then faults, then operations of
// accounts.
func (b *both) epoch(relayed []*ledger.Operation, faults []offence, reporter func(int) ledger.AccountID, events []twin.Event) {
	t := b.t
	t.Helper()
	in, err := b.mesh.Input(b.home.ID)
	must(t, err)
	first := b.mesh.Head(b.home.ID).Checkpoint.Height + 1
	now := uint64(ledgertest.GenesisTime) + first*ledgertest.BlockTime
	b.history = append(b.history, twin.Block{Time: now})

	ops, want := relayed, make([]bool, len(relayed))
	decided := map[int]int{} // operations that the twin decides about, by the index of their event
	for i, op := range relayed {
		want[i] = true
		if ledger.Kind(op.Kind) == ledger.KindUpdatePeer {
			var body ledger.UpdatePeer
			must(t, body.UnmarshalSSZ(op.Body))
			cp := &body.Certificate.Checkpoint
			b.history = append(b.history, twin.Followed{Chain: string(cp.ChainID), Time: cp.Time})
		}
	}
	for _, f := range faults {
		op, event := b.fault(f, reporter(f.reporter), now)
		if op == nil {
			continue
		}
		ops, want = append(ops, op), append(want, event != nil)
		if event != nil {
			decided[len(ops)-1] = len(b.history)
			b.history = append(b.history, event)
		}
	}
	start := len(b.history)
	b.history = append(b.history, events...)
	b.history = append(b.history, twin.Block{Time: in.Blocks[len(in.Blocks)-1].Time}, twin.End{})
	b.twin = twin.Replay(b.rules, b.history)
	must(t, b.twin.Check())
	for i, event := range decided {
		want[i] = b.twin.Accepted[event]
	}
	for i, e := range events {
		accepted := b.twin.Accepted[start+i]
		ops, want = append(ops, b.operation(e, accepted)), append(want, accepted)
	}
	before := b.books()
	parent := b.mesh.Tree(b.home.ID).Root()
	r, err := b.mesh.Epoch(b.home.ID, ops...)
	must(t, err)
	for i, receipt := range r.Receipts {
		if (receipt.Code == 0) != want[i] {
			t.Fatalf("epoch %d, %v: %v %s; the twin accepted it: %v", r.Checkpoint.Epoch, ledger.Kind(ops[i].Kind), ledger.Code(receipt.Code), receipt.Reason, want[i])
		}
		if receipt.Code != 0 && r.Transcript.Steps[i].Root != parent {
			t.Fatalf("a refused %v changed the root", ledger.Kind(ops[i].Kind))
		}
		parent = r.Transcript.Steps[i].Root
	}
	b.compare()
	for i, e := range events {
		if b.twin.Accepted[start+i] {
			before.expect(e)
		}
	}
	b.explained(before)
}

// books is what everybody has, and what is expected to become of it.
type books struct {
	collateral map[ledger.AccountID]*big.Int
	liens      []ledger.LienView
	slashes    int
	touched    map[ledger.AccountID]bool
}

func (b *both) books() *books {
	out := &books{collateral: map[ledger.AccountID]*big.Int{}, liens: b.liens, touched: map[ledger.AccountID]bool{}}
	for _, a := range b.accounts {
		out.collateral[a.ID] = whole(a.Collateral)
	}
	n, err := b.mesh.Reader(b.home.ID).SlashCount()
	must(b.t, err)
	out.slashes = int(n)
	return out
}

func (o *books) add(id ledger.AccountID, x *big.Int) {
	o.touched[id] = true
	if o.collateral[id] == nil {
		o.collateral[id] = new(big.Int)
	}
	o.collateral[id].Add(o.collateral[id], x)
}

func (o *books) expect(e twin.Event) {
	switch e := e.(type) {
	case twin.Deposit:
		o.add(e.Account, e.Amount)
	case twin.Withdraw:
		o.add(e.Account, new(big.Int).Neg(e.Amount))
	case twin.Pledge:
		o.touched[e.Account] = true
	case twin.Release:
		o.touched[e.Account] = true
	}
}

// explained checks that nobody is poorer or richer than his own operations, the
// slashes on his own liens and his rewards make him, and that nothing else touched
// a lien.
func (b *both) explained(want *books) {
	t := b.t
	t.Helper()
	r := b.mesh.Reader(b.home.ID)
	slashes, err := r.Slashes()
	must(t, err)
	for _, s := range slashes[want.slashes:] {
		want.add(s.Account, new(big.Int).Neg(whole(s.Amount)))
		f, err := r.Fault([32]byte(s.Fault))
		must(t, err)
		if !s.Reward.IsZero() {
			want.add(f.Reporter, whole(s.Reward))
		}
	}
	got := b.books()
	for id, x := range got.collateral {
		if want.collateral[id] == nil || want.collateral[id].Cmp(x) != 0 {
			t.Fatalf("account %v has %v, explained are %v", id, x, want.collateral[id])
		}
	}
	type name struct {
		account   ledger.AccountID
		consumer  string
		validator ledger.AccountID
	}
	now := map[name]ledger.LienView{}
	for _, l := range got.liens {
		now[name{l.Account, l.Consumer, l.Validator}] = l
	}
	for _, l := range want.liens {
		if n := now[name{l.Account, l.Consumer, l.Validator}]; !want.touched[l.Account] && (n.Amount != l.Amount || n.Bonded != l.Bonded || n.Slashed != l.Slashed || n.Ratio != l.Ratio) {
			t.Fatalf("a lien changed by itself from %+v to %+v", l, n)
		}
	}
}

// operation signs an event with the nonce that it has if all before it go as the
// twin says.
func (b *both) operation(e twin.Event, accepted bool) *ledger.Operation {
	var op *ledger.Operation
	var err error
	sign := func(id ledger.AccountID) {
		must(b.t, op.Sign(b.mesh.ID, b.home.ID, b.keys[id]))
		if accepted {
			b.nonces[id]++
		}
	}
	switch e := e.(type) {
	case twin.Deposit:
		op, err = ledger.NewDeposit(b.orders, e.Account, amount(e.Amount))
		must(b.t, err)
		must(b.t, op.Sign(b.mesh.ID, b.home.ID, b.home.Authority))
		if accepted {
			b.orders++
		}
	case twin.Withdraw:
		op, err = ledger.NewWithdraw(e.Account, b.nonces[e.Account], amount(e.Amount))
		must(b.t, err)
		sign(e.Account)
	case twin.Pledge:
		op, err = ledger.NewPledge(e.Account, b.nonces[e.Account], e.Consumer, e.Validator, amount(e.Amount), ledger.Ratio(e.Ratio))
		must(b.t, err)
		sign(e.Account)
	case twin.Release:
		op, err = ledger.NewRelease(e.Account, b.nonces[e.Account], e.Consumer, e.Validator, amount(e.Amount))
		must(b.t, err)
		sign(e.Account)
	}
	return op
}

// fault is a double vote, nil if there is none to prove or it is too old; without
// an event if it is known already. What it captures at a peer is read from the
// peer's own ledger.
func (b *both) fault(f offence, reporter ledger.AccountID, now uint64) (*ledger.Operation, twin.Event) {
	chain, r := b.mesh.Chains[f.consumer], b.mesh.Reader(b.home.ID)
	home := chain == b.home
	at := b.mesh.Head(b.home.ID).Checkpoint.Epoch
	var peer *ledger.Peer
	if !home {
		var err error
		peer, err = r.Peer(chain.ID)
		must(b.t, err)
		at = min(peer.Accepted+1, b.mesh.Head(chain.ID).Checkpoint.Epoch)
	}
	if uint64(f.back) >= at {
		return nil, nil
	}
	at -= uint64(f.back)
	var committed, heard uint64 // by its own clock, and by ours
	if home {
		record, err := r.SetRecord(at)
		must(b.t, err)
		committed, heard = record.Time, record.Time
	} else {
		cp, err := r.PeerCheckpoint(chain.ID, at-1)
		must(b.t, err)
		committed, heard = cp.Time, cp.AcceptedTime
	}
	id := chain.Validators[f.validator].ID
	power, total := powerOf(b.mesh.Set(chain.ID, at), id)
	if power == nil || b.rules.Params.EvidenceAge.Passed(0, heard, 0, now) {
		return nil, nil
	}
	proof, err := b.mesh.DoubleVote(chain.ID, at, f.validator)
	must(b.t, err)
	body := &ledger.SubmitFault{Reporter: reporter, Proof: *proof, Set: *b.mesh.Set(chain.ID, at).ValidatorSet()}
	event := &twin.Fault{
		Chain: chain.ID, Epoch: at, Since: committed, Base: uint64(b.rules.Params.Penalty.DoubleVote), Reporter: reporter,
		Offenders: []twin.Offender{{Validator: id, Power: power, Total: total}},
	}
	if home {
		event.Statements = []uint64{at - 1}
	} else {
		event.Statements = b.inForce(chain.ID, min(peer.Final, at-1))
		if f.later && peer.Final < at-1 {
			event.Later = b.inForce(chain.ID, at-1)
			body.LaterEpoch = at - 1
			body.Later, err = b.mesh.Prove(chain.ID, at-1, ledger.ImportKey(b.home.ID))
			must(b.t, err)
		}
	}
	op, err := ledger.NewSubmitFault(body)
	must(b.t, err)
	name := fmt.Sprint(f.consumer, f.validator, at)
	switch {
	case b.known[name] && len(event.Later) > 0:
		return op, twin.Amend{Chain: chain.ID, Epoch: at, Validator: id, Statement: event.Later[0]}
	case b.known[name]:
		return op, nil
	}
	b.known[name] = true
	return op, *event
}

// inForce is the epoch of our statement that a peer had in force, if any.
func (b *both) inForce(chain string, epoch uint64) []uint64 {
	in, err := b.mesh.ReaderAt(chain, epoch).Import(b.home.ID)
	must(b.t, err)
	if in == nil || len(in.Statement.Entries) == 0 { // it gave nobody power
		return nil
	}
	return []uint64{in.Epoch}
}

// powerOf is what a validator has of a set's power, nil if it is not in it, and all of it.
func powerOf(set *attest.Set, id ledger.AccountID) (own, total *big.Int) {
	total = new(big.Int)
	for i := range set.Len() {
		power := whole(set.At(i).Power)
		total.Add(total, power)
		if set.At(i).Account == id {
			own = power
		}
	}
	return own, total
}

// compare checks that the ledger is what the twin says.
func (b *both) compare() {
	t := b.t
	t.Helper()
	r := b.mesh.Reader(b.home.ID)
	epoch := b.mesh.Head(b.home.ID).Checkpoint.Epoch
	differ := func(what string, got ledger.Amount, want *big.Int) {
		t.Helper()
		if got != amount(want) {
			t.Fatalf("epoch %d, %s: %v, the twin has %v", epoch, what, got, want)
		}
	}
	totals, err := r.Totals()
	must(t, err)
	sums := b.twin.Totals()
	differ("deposited", totals.Deposited, sums.Deposited)
	differ("withdrawn", totals.Withdrawn, sums.Withdrawn)
	differ("burned", totals.Burned, sums.Burned)
	differ("collateral", totals.Collateral, sums.Collateral)
	accounts, err := r.Accounts()
	must(t, err)
	b.accounts = accounts
	want := b.twin.Accounts()
	if len(accounts) != len(want) {
		t.Fatalf("epoch %d: %d accounts, the twin has %d", epoch, len(accounts), len(want))
	}
	for _, a := range accounts {
		w := want[a.ID]
		differ("collateral", a.Collateral, w.Collateral)
		differ("largest lien", a.MaxLien, w.Largest)
		differ("slashable", a.Slashable, w.Slashable)
		differ("free", a.Free, w.Free)
		if a.MaxLien.Int().Gt(a.Collateral.Int()) || a.Slashable.Int().Gt(a.Collateral.Int()) {
			t.Fatalf("epoch %d: an invariant is broken: %+v", epoch, a)
		}
	}
	liens, err := r.Liens()
	must(t, err)
	b.liens = liens
	n := 0
	for _, l := range liens {
		w, ok := want[l.Account].Parts[l.Consumer][l.Validator]
		if !ok {
			t.Fatalf("epoch %d: the twin knows no %+v", epoch, l)
		}
		differ("lien", l.Amount, w.Amount)
		differ("bonded", l.Bonded, w.Bonded)
		differ("taken", l.Slashed, w.Taken)
		if new(big.Rat).SetFrac(new(big.Int).SetUint64(uint64(l.Ratio)), big.NewInt(ledger.One)).Cmp(w.Ratio) != 0 {
			t.Fatalf("ratio %v, the twin has %v", l.Ratio, w.Ratio)
		}
		n++
	}
	for _, w := range want {
		for _, parts := range w.Parts {
			n -= len(parts)
		}
	}
	if n != 0 {
		t.Fatalf("epoch %d: %d parts of liens too many", epoch, n)
	}
	statements := b.twin.Statements()
	for _, c := range b.mesh.Chains {
		st, err := r.Statement(c.ID)
		must(t, err)
		if st == nil {
			st = new(ledger.Statement)
		}
		bonded, sum := statements[c.ID], new(big.Int)
		for _, x := range bonded {
			sum.Add(sum, x)
		}
		differ("statement about "+c.ID, st.Amount, sum)
		if len(st.Entries) != len(bonded) {
			t.Fatalf("epoch %d: the statement about %s names %d validators, the twin's %d", epoch, c.ID, len(st.Entries), len(bonded))
		}
		for _, e := range st.Entries {
			if bonded[e.Validator] == nil {
				t.Fatalf("epoch %d: the statement about %s names %x", epoch, c.ID, e.Validator)
			}
			differ("statement about "+c.ID, e.Amount, bonded[e.Validator])
		}
	}
}

// key of a script's account. The first ones are validators.
func (b *both) key(i int) ed25519.PrivateKey {
	if i < len(b.home.Validators) {
		return b.home.Validators[i].Account
	}
	return twinKey(i)
}

// events are what the scripts do in an epoch, in their order.
func (b *both) events(scripts []script, epoch int) []twin.Event {
	var out []twin.Event
	for i, s := range scripts {
		id := ledger.AccountOf(b.key(i))
		b.keys[id] = b.key(i)
		if epoch == 0 {
			out = append(out, twin.Deposit{Account: id, Amount: new(big.Int).SetUint64(s.collateral)})
		}
		for _, st := range s.steps {
			if st.epoch == epoch {
				out = append(out, b.event(id, st))
			}
		}
	}
	return out
}

func (b *both) event(id ledger.AccountID, st step) twin.Event {
	consumer := b.mesh.Chains[st.consumer]
	validator, x := consumer.Validators[st.validator].ID, new(big.Int).SetUint64(st.amount)
	about := func(room *big.Int) {
		if st.room && room.Sign() > 0 {
			x.Add(x, room).Sub(x, big.NewInt(1))
		}
	}
	a := b.twin.Account(id)
	switch st.kind {
	case ledger.KindDeposit:
		return twin.Deposit{Account: id, Amount: x}
	case ledger.KindWithdraw:
		about(a.Free)
		return twin.Withdraw{Account: id, Amount: x}
	case ledger.KindRelease:
		about(a.Bonded(consumer.ID, validator))
		return twin.Release{Account: id, Consumer: consumer.ID, Validator: validator, Amount: x}
	}
	about(a.Room(consumer.ID, uint64(st.ratio)))
	return twin.Pledge{Account: id, Consumer: consumer.ID, Validator: validator, Amount: x, Ratio: uint64(st.ratio)}
}
