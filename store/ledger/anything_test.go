package ledger_test

import (
	"crypto/ed25519"
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// What holds whatever is ordered: operations of every kind, those that the twin does
// not model too (backstops, downtime, rules that change, failures, trust), on every
// chain of a mesh, mostly sensible, some not.
func TestWhateverIsOrderedLedgersStaySound(t *testing.T) {
	n := hasty(t)
	fewer(t, 6)
	kinds := map[ledger.Kind]int{}
	rounds := twinRounds(t)
	for range rounds {
		rapid.Check(t, func(rt *rapid.T) {
			mesh, err := ledgertest.Play(n)
			must(t, err)
			u := &unruly{adapter{t, rt}, rt, mesh, kinds}
			for range 18 {
				u.round()
			}
		})
	}
	for kind := ledger.KindDeposit; kind <= ledger.KindUnjail; kind++ {
		t.Logf("%d of %v were accepted", kinds[kind], kind)
		if kinds[kind] == 0 && rounds > 1 { // a few histories may miss what is rare
			t.Errorf("no %v was ever accepted: the test does not reach it", kind)
		}
	}
}

// hasty is a network whose windows are a few epochs, so that a short history has all that
// they are about.
func hasty(t *testing.T) *ledgertest.Network {
	t.Helper()
	n := ledgertest.New(3, 4, func(m *ledger.Manifest) {
		strict(m)
		for _, c := range m.Chains {
			p := &c.Params
			p.ChallengeWindow, p.StatementExpiry, p.EvidenceAge = ledger.Window{Epochs: 1}, 20_000, ledger.Window{Epochs: 1, Time: 10_000}
			p.MaxDrift = 5_000
			p.Unbonding, p.Correlation = ledger.Window{Epochs: 3, Time: 36_000}, ledger.Window{Epochs: 2, Time: 12_000}
			p.MinLien, p.CoveredValue = ledger.Units(3), ledger.Units(400_000)
		}
	})
	must(t, n.Manifest.Validate())
	return n
}

// unruly is a mesh in which everybody does anything.
type unruly struct {
	t        testing.TB
	rt       *rapid.T
	mesh     *ledgertest.Mesh
	accepted map[ledger.Kind]int
}

// round runs one epoch of every chain, unless the chain is silent.
func (u *unruly) round() {
	for _, c := range u.mesh.Chains {
		if rapid.IntRange(0, 9).Draw(u.rt, "silent") == 0 {
			continue
		}
		ops, err := u.mesh.Relay(c.ID)
		must(u.t, err)
		u.epoch(c, append(ops, u.operations(c)...))
	}
}

// operations are at most one of each account and of the authority, so that their
// nonces are right, and some of anybody.
func (u *unruly) operations(c *ledgertest.Chain) (ops []*ledger.Operation) {
	r := u.mesh.Reader(c.ID)
	add := func(op *ledger.Operation) {
		if op != nil {
			ops = append(ops, op)
		}
	}
	add(u.byAuthority(c, r))
	for range rapid.IntRange(0, 2).Draw(u.rt, "anybody's") {
		add(u.byAnybody(c, r))
	}
	for _, v := range c.Validators {
		add(u.byAccount(c, r, v.Account))
	}
	for i := range 2 {
		add(u.byAccount(c, r, twinKey(i)))
	}
	return ops
}

func (u *unruly) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(u.rt, label) }

func (u *unruly) amount() ledger.Amount {
	return ledger.Units(rapid.OneOf(rapid.Uint64Range(0, 10), rapid.Uint64Range(1, 500_000), rapid.Uint64Range(1, 3_000_000)).Draw(u.rt, "amount"))
}

func (u *unruly) accounts(c *ledgertest.Chain) (ids []ledger.AccountID) {
	for _, v := range c.Validators {
		ids = append(ids, v.ID)
	}
	return append(ids, ledger.AccountOf(twinKey(0)), ledger.AccountOf(twinKey(1)), ledger.AccountID{9})
}

func (u *unruly) other(c *ledgertest.Chain) *ledgertest.Chain {
	for {
		if o := u.mesh.Chains[u.pick("chain", len(u.mesh.Chains))]; o != c {
			return o
		}
	}
}

func (u *unruly) byAuthority(c *ledgertest.Chain, r *ledger.Reader) *ledger.Operation {
	meta, err := r.Meta()
	must(u.t, err)
	signed := signedBy(u.t, u.mesh, c.ID, c.Authority)
	nonce, accounts := meta.AuthorityNonce, u.accounts(c)
	if totals, err := r.Totals(); err != nil || !totals.Escrow.IsZero() {
		must(u.t, err)
		consumer := u.other(c).ID
		amount := rapid.SampledFrom([]ledger.Amount{ledger.Units(1), totals.Escrow, u.amount()}).Draw(u.rt, "paid out")
		return signed(ledger.NewReleaseEscrow(nonce, consumer, accounts[u.pick("account", len(accounts))], amount))
	}
	switch u.pick("authority", 7) {
	case 0, 1, 2:
		return signed(ledger.NewDeposit(nonce, accounts[u.pick("account", len(accounts))], u.amount()))
	case 3:
		p, err := r.Params()
		must(u.t, err)
		next := *p
		switch u.pick("param", 5) {
		case 0:
			next.Penalty.DoubleVote = rapid.SampledFrom(twinRatios).Draw(u.rt, "base")
		case 1:
			next.ReporterReward = ledger.Ratio(rapid.Uint64Range(0, ledger.One/20).Draw(u.rt, "reward"))
		case 2:
			next.CoveredValue = u.amount()
		case 3:
			next.Unbonding.Time = ledger.Duration(rapid.Uint64Range(35_000, 60_000).Draw(u.rt, "unbonding"))
		case 4:
			next.Penalty.Rule = rapid.SampledFrom([]ledger.PenaltyRule{ledger.Flat, ledger.Quadratic, ledger.Proportional}).Draw(u.rt, "rule")
		}
		return signed(ledger.NewSetParams(nonce, &next))
	case 4:
		other := u.other(c).ID
		terms, err := r.Terms(other)
		must(u.t, err)
		next := *terms
		next.Cap = rapid.SampledFrom([]ledger.Ratio{0, ledger.One / 10, ledger.One / 2}).Draw(u.rt, "cap")
		next.Price = rapid.SampledFrom(twinRatios).Draw(u.rt, "price")
		return signed(ledger.NewSetPeer(nonce, other, next))
	case 5, 6:
		for _, o := range u.mesh.Chains {
			if peer, err := r.Peer(o.ID); err == nil && peer != nil && peer.Halted != 0 && u.pick("trust", 3) == 0 {
				at := u.mesh.Head(o.ID).Checkpoint.Epoch
				if at == 0 {
					continue
				}
				cp := u.mesh.Certificate(o.ID, at).Checkpoint
				return signed(ledger.NewTrustPeer(nonce, &cp, u.mesh.Set(o.ID, at+1).ValidatorSet()))
			}
		}
	}
	return nil
}

// byAnybody is what needs no signature.
func (u *unruly) byAnybody(c *ledgertest.Chain, r *ledger.Reader) *ledger.Operation {
	switch u.pick("anybody", 6) {
	case 0, 1: // what costs whole chains must not come every time
		accused := u.mesh.Chains[u.pick("accused", len(u.mesh.Chains))]
		head := u.mesh.Head(accused.ID).Checkpoint.Epoch
		back := uint64(u.pick("back", 4))
		who := u.pick("validator", 3)
		if head <= back {
			return nil
		}
		prove := u.mesh.DoubleVote
		if u.pick("kind", 3) == 0 {
			prove = u.mesh.Equivocation
		}
		set := u.mesh.Set(accused.ID, head-back)
		if power, _ := powerOf(set, accused.Validators[who].ID); power == nil {
			return nil // not in the set
		}
		proof, err := prove(accused.ID, head-back, who)
		must(u.t, err)
		accounts := u.accounts(c)
		op, err := u.mesh.SubmitFault(c.ID, proof, accounts[u.pick("reporter", len(accounts))])
		must(u.t, err)
		return op
	case 2, 3, 4:
		cp := u.mesh.Head(c.ID).Checkpoint
		set := u.mesh.Set(c.ID, cp.Epoch)
		if cp.Epoch == 0 {
			return nil
		}
		var away []ledger.AccountID
		if set.Len() > 3 { // the last one never signs
			away = append(away, c.Validators[3].ID)
		}
		cert, err := u.mesh.CertifyWithout(cp, away...)
		must(u.t, err)
		op, err := ledger.NewRecordCertificate(cert, set.ValidatorSet())
		must(u.t, err)
		return op
	default:
		for _, o := range u.mesh.Chains {
			f, err := r.Failure(o.ID)
			must(u.t, err)
			if f == nil || f.Covered != 0 {
				continue
			}
			proof, err := u.mesh.Prove(o.ID, f.Checkpoint, ledger.CoverKey)
			must(u.t, err)
			op, err := ledger.NewProveCover(o.ID, f.Checkpoint, proof)
			must(u.t, err)
			return op
		}
	}
	return nil
}

func (u *unruly) byAccount(c *ledgertest.Chain, r *ledger.Reader, key ed25519.PrivateKey) *ledger.Operation {
	id := ledger.AccountOf(key)
	account, ok, err := r.Account(id)
	must(u.t, err)
	if !ok {
		return nil
	}
	signed := signedBy(u.t, u.mesh, c.ID, key)
	consumer := u.mesh.Chains[u.pick("consumer", len(u.mesh.Chains))]
	to := consumer.Validators[u.pick("to", len(consumer.Validators))].ID
	jailed, err := r.Jailed()
	must(u.t, err)
	for _, j := range jailed {
		if j.Account == id && rapid.Bool().Draw(u.rt, "unjail") {
			return signed(ledger.NewUnjail(id, account.Nonce, j.Epoch))
		}
	}
	switch u.pick("operation", 7) {
	case 0, 1:
		return signed(ledger.NewPledge(id, account.Nonce, consumer.ID, to, u.amount(), rapid.SampledFrom(twinRatios).Draw(u.rt, "ratio")))
	case 2:
		return signed(ledger.NewBackstop(id, account.Nonce, u.other(c).ID, u.amount(), ledger.One/10, u.amount()))
	case 3, 4:
		liens, err := r.Liens()
		must(u.t, err)
		liens = slices.DeleteFunc(liens, func(l ledger.LienView) bool { return l.Account != id })
		if len(liens) == 0 {
			return nil
		}
		l := liens[u.pick("lien", len(liens))]
		amount := l.Bonded
		if rapid.Bool().Draw(u.rt, "part") {
			amount = u.amount()
		}
		return signed(ledger.NewRelease(id, account.Nonce, l.Consumer, l.Validator, amount))
	case 5:
		return signed(ledger.NewWithdraw(id, account.Nonce, rapid.SampledFrom([]ledger.Amount{account.Free, u.amount()}).Draw(u.rt, "withdrawn")))
	}
	return nil
}

// epoch runs one, and checks the ledger before and after against what was accepted.
func (u *unruly) epoch(c *ledgertest.Chain, ops []*ledger.Operation) {
	t := u.t
	t.Helper()
	before := u.mesh.Reader(c.ID)
	root := u.mesh.Tree(c.ID).Root()
	slashed, err := before.SlashCount()
	must(t, err)
	want := collateralOf(t, before)
	r, err := u.mesh.Epoch(c.ID, ops...)
	must(t, err)
	for i, receipt := range r.Receipts {
		switch step := r.Transcript.Steps[i]; {
		case receipt.Code == uint8(ledger.CodeQueued):
			t.Fatalf("%v waits in an epoch that has room", ledger.Kind(ops[i].Kind))
		case receipt.Code != 0 && step.Root != root:
			t.Fatalf("a refused %v changed the root", ledger.Kind(ops[i].Kind))
		case receipt.Code == 0:
			u.accepted[ledger.Kind(ops[i].Kind)]++
			moved(t, want, ops[i])
		}
		root = r.Transcript.Steps[i].Root
	}
	after := u.mesh.Reader(c.ID)
	slashes, err := after.Slashes()
	must(t, err)
	for _, s := range slashes[slashed:] {
		add(want, s.Account, new(big.Int).Neg(whole(s.Amount)))
		if !s.Reward.IsZero() {
			f, err := after.Fault([32]byte(s.Fault))
			must(t, err)
			add(want, f.Reporter, whole(s.Reward))
		}
	}
	got := collateralOf(t, after)
	for id, x := range got {
		if want[id] == nil || want[id].Cmp(x) != 0 {
			t.Fatalf("%s: account %v has %v, explained are %v", c.ID, id, x, want[id])
		}
	}
	recount(t, c.ID, after)
	sound(t, c.ID, after)
	bounded(t, c.ID, slashes)
}

func collateralOf(t testing.TB, r *ledger.Reader) map[ledger.AccountID]*big.Int {
	accounts, err := r.Accounts()
	must(t, err)
	out := map[ledger.AccountID]*big.Int{}
	for _, a := range accounts {
		out[a.ID] = whole(a.Collateral)
	}
	return out
}

func add(books map[ledger.AccountID]*big.Int, id ledger.AccountID, x *big.Int) {
	if books[id] == nil {
		books[id] = new(big.Int)
	}
	books[id].Add(books[id], x)
}

// moved is what an accepted operation moves by itself.
func moved(t testing.TB, books map[ledger.AccountID]*big.Int, op *ledger.Operation) {
	switch ledger.Kind(op.Kind) {
	case ledger.KindDeposit:
		var d ledger.Deposit
		must(t, d.UnmarshalSSZ(op.Body))
		add(books, d.Account, whole(d.Amount))
	case ledger.KindWithdraw:
		var w ledger.Withdraw
		must(t, w.UnmarshalSSZ(op.Body))
		add(books, op.Account, new(big.Int).Neg(whole(w.Amount)))
	case ledger.KindReleaseEscrow:
		var e ledger.ReleaseEscrow
		must(t, e.UnmarshalSSZ(op.Body))
		add(books, e.Account, whole(e.Amount))
	}
}

// sound checks I1 and I2 of every account, from what the ledger shows of its liens.
func sound(t testing.TB, chain string, r *ledger.Reader) {
	t.Helper()
	accounts, err := r.Accounts()
	must(t, err)
	liens, err := r.Liens()
	must(t, err)
	type lien struct {
		account  ledger.AccountID
		consumer string
	}
	sums, slashable := map[lien]*big.Int{}, map[ledger.AccountID]*big.Int{}
	for _, l := range liens {
		k := lien{l.Account, l.Consumer}
		if sums[k] == nil {
			sums[k] = new(big.Int)
		}
		sums[k].Add(sums[k], whole(l.Amount))
		add(slashable, l.Account, new(big.Int).Mul(whole(l.Amount), new(big.Int).SetUint64(uint64(l.Ratio))))
	}
	for _, a := range accounts {
		for k, sum := range sums {
			if k.account == a.ID && sum.Cmp(whole(a.Collateral)) > 0 {
				t.Fatalf("I1 on %s: account %v has %v and a lien of %v to %s", chain, a.ID, a.Collateral, sum, k.consumer)
			}
		}
		all := new(big.Int).Mul(whole(a.Collateral), big.NewInt(ledger.One))
		if s := slashable[a.ID]; s != nil && s.Cmp(all) > 0 {
			t.Fatalf("I2 on %s: account %v has %v, and %v/10^18 can be slashed", chain, a.ID, a.Collateral, s)
		}
	}
}

// bounded checks that nobody ever lost more behind one validator than the largest
// debt that a slash of it names.
func bounded(t testing.TB, chain string, slashes []ledger.SlashView) {
	t.Helper()
	type part struct {
		account   ledger.AccountID
		consumer  string
		validator ledger.AccountID
		failure   string // of a backstop, which each may draw on what the ones before left
	}
	taken, debt := map[part]*big.Int{}, map[part]*big.Int{}
	for _, s := range slashes {
		k := part{s.Account, s.Consumer, s.Validator, ""}
		if s.Validator == ledger.Backstop {
			k.failure = string(s.Fault)
		}
		if taken[k] == nil {
			taken[k], debt[k] = new(big.Int), new(big.Int)
		}
		taken[k].Add(taken[k], whole(s.Amount))
		d := new(big.Int).Mul(whole(s.Captured), new(big.Int).SetUint64(uint64(s.Ratio)+1)) // the ratio was rounded down
		if d.Div(d, big.NewInt(ledger.One)); d.Cmp(debt[k]) > 0 {
			debt[k] = d
		}
	}
	for k := range maps.Keys(taken) {
		if taken[k].Cmp(debt[k]) > 0 {
			t.Fatalf("%s: %v was taken of %v, and no slash names more than %v", chain, taken[k], k, debt[k])
		}
	}
}
