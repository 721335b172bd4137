package ledger_test

import (
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// An offender who wants to pay less, and somebody who wants others to pay more.

// offenderIndex is who offends in these tests, on beta; the validator of alpha with the
// same index has stake behind him.
const offenderIndex = 2

func offender(m *ledgertest.Mesh) *ledgertest.Validator { return m.Chains[1].Validators[offenderIndex] }

// losses are the sums that slashes behind the offender took, his own stake on beta and the
// lender's on alpha, and what was paid for reporting.
type losses struct{ own, lent, reward uint64 }

func lostTo(t *testing.T, m *ledgertest.Mesh, validator ledger.AccountID) (out losses) {
	t.Helper()
	for _, chain := range ledgertest.ChainIDs[:2] {
		slashes, err := m.Reader(chain).Slashes()
		must(t, err)
		for _, s := range slashes {
			if string(s.Consumer) != "beta" || s.Validator != validator {
				continue
			}
			if chain == "beta" {
				out.own += s.Amount.Int().Uint64()
			} else {
				out.lent += s.Amount.Int().Uint64()
			}
			out.reward += s.Reward.Int().Uint64()
		}
	}
	return out
}

// rounds runs some epochs of both chains.
func rounds(t *testing.T, m *ledgertest.Mesh, n int) {
	t.Helper()
	for range n {
		round(t, m)
	}
}

// all is what one double vote of the offender costs: half of 600,000, and three tenths of
// 300,000, which are the ratios of the liens; a quarter of the power would cost more.
var all = losses{own: 300_000, lent: 90_000}

// patient are windows in which evidence does not age while a test runs.
func patient(m *ledger.Manifest) {
	for _, c := range m.Chains {
		c.Params.EvidenceAge.Time, c.Params.Unbonding.Time, c.Params.StatementExpiry = 2_000_000, 4_000_000, 1_000_000
	}
}

// Who is convicted of as many cheap offences as are recorded, of epochs in which nobody
// stood behind him, is not safe from the dear one, on no ledger and in no order.
func TestCheapOffencesShieldNoDearOne(t *testing.T) {
	const cheap = 70 // more than are recorded
	for _, first := range []string{"cheap", "dear"} {
		t.Run(first+" first", func(t *testing.T) {
			m := play(t, 2, 4, patient)
			rounds(t, m, cheap)
			crossPledge(t, m)
			rounds(t, m, 8)
			at := m.Head("beta").Checkpoint.Epoch - 1
			dear, err := m.DoubleVote("beta", at, offenderIndex)
			must(t, err)
			flood := func() {
				for _, chain := range ledgertest.ChainIDs[:2] {
					var ops []*ledger.Operation
					for e := range uint64(cheap) {
						proof, err := m.DoubleVote("beta", e+1, offenderIndex)
						must(t, err)
						op, err := m.SubmitFault(chain, proof, ledger.AccountID{})
						must(t, err)
						ops = append(ops, op)
					}
					_, err := m.Epoch(chain, ops...)
					must(t, err)
				}
			}
			if first == "cheap" {
				flood()
				rounds(t, m, 4) // executed
			}
			for _, chain := range ledgertest.ChainIDs[:2] {
				submit(t, m, chain, dear)
				refusedFault(t, m, chain, ledger.CodeDuplicate, dear)
			}
			if first == "dear" {
				flood()
			}
			rounds(t, m, 5)
			if got := lostTo(t, m, offender(m).ID); got != all {
				t.Errorf("lost %+v, want %+v", got, all)
			}
		})
	}
}

// What the offender writes into his second vote, as early as it may claim to be, changes
// nothing: it is the set of the epoch that says what stood behind him.
func TestBackdatingAVoteDoesNotEscape(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	cp := m.Past("beta", at).Checkpoint
	early := &attest.Checkpoint{ChainID: []byte("beta"), Epoch: at, Parent: m.ID, Height: 1, Time: 1}
	sides := make([]*attest.Certificate, 2)
	for i, c := range []*attest.Checkpoint{cp, early} {
		vote, err := attest.SignAttestation(offender(m).Key, m.ID, c)
		must(t, err)
		sides[i], err = vote.Single(m.Set("beta", at))
		must(t, err)
	}
	proof, err := attest.BuildDoubleVote(m.Set("beta", at), sides[0], sides[1])
	must(t, err)
	for _, chain := range ledgertest.ChainIDs[:2] {
		submit(t, m, chain, proof)
	}
	rounds(t, m, 3)
	if got := lostTo(t, m, offender(m).ID); got != all {
		t.Errorf("lost %+v, want %+v", got, all)
	}
}

// All that stood behind the offence is released at once, and as much as is free is
// withdrawn in every epoch until the last in which evidence counts: there is enough.
func TestWithdrawingDoesNotEscape(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch
	lender := m.Chains[0].Validators[offenderIndex]
	leave := func(chain string, v *ledgertest.Validator, nonce uint64, consumer string, to ledger.AccountID, amount uint64) (next uint64) {
		own := signedBy(t, m, chain, v.Account)
		epoch(t, m, chain, own(ledger.NewRelease(v.ID, nonce, consumer, to, ledger.Units(amount))))
		return nonce + 1
	}
	nonces := map[string]uint64{
		"alpha": leave("alpha", lender, 1, "beta", offender(m).ID, 300_000),
		"beta":  leave("beta", offender(m), 1, "beta", offender(m).ID, 600_000),
	}
	proof, err := m.DoubleVote("beta", at, offenderIndex)
	must(t, err)
	for range 5 { // two epochs of 5 s each, and evidence counts for 60 s
		for chain, v := range map[string]*ledgertest.Validator{"alpha": lender, "beta": offender(m)} {
			a, _, err := m.Reader(chain).Account(v.ID)
			must(t, err)
			own := signedBy(t, m, chain, v.Account)
			refused(t, m, chain, ledger.CodeVault, own(ledger.NewWithdraw(v.ID, nonces[chain], ledger.NewAmount(new(uint256.Int).AddUint64(a.Free.Int(), 1)))))
			if !a.Free.IsZero() {
				epoch(t, m, chain, own(ledger.NewWithdraw(v.ID, nonces[chain], a.Free)))
				nonces[chain]++
			}
		}
		round(t, m)
	}
	for _, chain := range ledgertest.ChainIDs[:2] {
		submit(t, m, chain, proof)
	}
	rounds(t, m, 3)
	if got := lostTo(t, m, offender(m).ID); got != all {
		t.Errorf("lost %+v, want %+v", got, all)
	}
}

// Two thirds of a chain, who offend, can have its clock stand still, so that all that they
// sign is old when others hear of it. The age of evidence counts by the clock of those who
// judge it.
func TestASlowClockDoesNotAgeEvidence(t *testing.T) {
	m := play(t, 2, 4, nil)
	rounds(t, m, 3)
	peer, err := m.Reader("alpha").Peer("beta")
	must(t, err)
	for range 12 { // beta waits: 60 s, the age of evidence
		epoch(t, m, "alpha")
	}
	slow := *m.Past("beta", peer.Accepted+1).Checkpoint
	slow.Time = peer.Time
	cert, err := m.Certify(&slow)
	must(t, err)
	update, err := ledger.NewUpdatePeer(cert, m.Set("beta", slow.Epoch).ValidatorSet())
	must(t, err)
	epoch(t, m, "alpha", update)
	epoch(t, m, "alpha")
	epoch(t, m, "alpha")
	// The set of the epoch after is the one that slow commits to.
	forged := slow
	forged.Epoch, forged.Parent = slow.Epoch+1, slow.Root()
	set := m.Set("beta", slow.Epoch+1)
	if set == nil || set.Root() != slow.ValidatorsRoot {
		t.Fatal("beta has another set by then")
	}
	proof, err := m.Network.DoubleVote(set, &forged, offender(m))
	must(t, err)
	submit(t, m, "alpha", proof)
	for range 10 {
		epoch(t, m, "alpha")
	}
	late, err := m.Network.DoubleVote(set, &forged, m.Chains[1].Validators[1])
	must(t, err)
	refusedFault(t, m, "alpha", ledger.CodeExpired, late) // 60 s after alpha heard of the set
}

// An account answers for what it signed with a key that it has replaced since, and the
// old key signs for nobody in the epochs after.
func TestRotatingKeysDoesNotEscape(t *testing.T) {
	m := play(t, 2, 4, nil)
	rounds(t, m, 2)
	v := m.Chains[0].Validators[offenderIndex]
	before := *v
	at := m.Head("alpha").Checkpoint.Epoch
	proof, err := m.DoubleVote("alpha", at, offenderIndex)
	must(t, err)
	fresh := newCandidate(t, "unused", "fresh")
	fresh.account = v.Account
	epoch(t, m, "alpha", fresh.register(t, m, "alpha", 0))
	v.Key, v.Consensus = fresh.key, fresh.consensus
	round(t, m)
	head := m.Head("alpha").Checkpoint
	if _, err := m.Network.DoubleVote(m.Set("alpha", head.Epoch), head, &before); err == nil {
		t.Error("the old key is still in the set")
	}
	for _, chain := range ledgertest.ChainIDs[:2] {
		submit(t, m, chain, proof)
		faults, err := m.Reader(chain).Faults()
		must(t, err)
		if len(faults) != 1 || len(faults[0].Offenders) != 1 || faults[0].Offenders[0] != v.ID {
			t.Fatalf("%s: faults %+v", chain, faults)
		}
	}
	// He who has two keys is one offender: what he signs with the new one adds no power.
	again, err := m.DoubleVote("alpha", head.Epoch, offenderIndex)
	must(t, err)
	submit(t, m, "alpha", again)
	c, err := m.Reader("alpha").Conviction(again.ID())
	must(t, err)
	if len(c.Convicted) != 1 || c.Convicted[0].Severity != ledger.One/4 {
		t.Fatalf("%+v", c.Convicted)
	}
}

// Nobody has power who has no key in the home chain's consensus, and nobody can have the
// key of another answer for him.
func TestPowerNeedsAConsensusKeyOfItsOwn(t *testing.T) {
	m := play(t, 2, 4, nil)
	v := m.Chains[0].Validators[0]
	dust := newCandidate(t, "dust", "dust")
	epoch(t, m, "alpha", signedBy(t, m, "alpha", m.Chains[0].Authority)(ledger.NewDeposit(0, ledger.AccountOf(dust.account), ledger.Units(10_000))))
	bare := signedBy(t, m, "alpha", dust.account)(ledger.NewRegister(ledger.AccountOf(dust.account), 0, bareRegistration(m, dust)))
	refused(t, m, "alpha", ledger.CodeInvalid, bare)
	stolen := dust
	stolen.consensus = v.Consensus // whose owner signs: he would like the dust to answer
	refused(t, m, "alpha", ledger.CodeDuplicate, stolen.register(t, m, "alpha", 0))
}

func bareRegistration(m *ledgertest.Mesh, c candidate) *ledger.Register {
	reg := &attest.Registration{ChainID: []byte("alpha"), Account: ledger.AccountOf(c.account), Key: c.key.PublicKey().Bytes()}
	possession := bls.ProvePossession(c.key, reg.SigningRoot(m.ID)).Bytes()
	return &ledger.Register{Key: reg.Key, Possession: possession, KeyType: attest.KeyNone}
}

// Any number of offences, of both kinds and in many epochs, cost a lien no more than the
// ratio that was agreed, whenever they become known.
func TestRepeatedOffencesCostNoMoreThanTheRatio(t *testing.T) {
	m := crossed(t, patient)
	last := m.Head("beta").Checkpoint.Epoch - 1
	for n, e := range []uint64{last - 1, last, last - 2} {
		double, err := m.DoubleVote("beta", e, offenderIndex)
		must(t, err)
		other, err := m.Equivocation("beta", e, offenderIndex)
		must(t, err)
		for _, chain := range ledgertest.ChainIDs[:2] {
			if n == 1 {
				double, other = other, double
			}
			submit(t, m, chain, double)
			refusedFault(t, m, chain, ledger.CodeDuplicate, other)
		}
		rounds(t, m, 3)
		if got := lostTo(t, m, offender(m).ID); got != all {
			t.Fatalf("after %d offences: lost %+v, want %+v", n+1, got, all)
		}
	}
}

// contradiction is a proof that these validators of beta signed the checkpoint of an
// epoch, changed or not, and another one, each side an aggregate.
func contradiction(t *testing.T, m *ledgertest.Mesh, net attest.Network, at uint64, change func(*attest.Checkpoint), both ...int) *attest.FaultProof {
	t.Helper()
	set := m.Set("beta", at)
	side := func(cp *attest.Checkpoint) *attest.Certificate {
		bits, message := attest.NewBits(set.Len()), cp.SigningRoot(net)
		var signatures []bls.Signature
		for _, i := range both {
			v := m.Chains[1].Validators[i]
			n, ok := set.Index(v.Key.PublicKey().Bytes())
			if !ok {
				t.Fatalf("validator %d is not in the set of epoch %d", i, at)
			}
			bits.Set(n)
			signatures = append(signatures, v.Key.Sign(message[:]))
		}
		sum, err := bls.Aggregate(signatures)
		must(t, err)
		return &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: sum.Bytes()}
	}
	first := *m.Past("beta", at).Checkpoint
	second := first
	second.OpsRoot[0] ^= byte(1 + both[0])
	if change != nil {
		change(&first)
		change(&second)
	}
	proof, err := attest.BuildDoubleVote(set, side(&first), side(&second))
	must(t, err)
	return proof
}

// One offence in three aggregates with others, in another order, and by another kind: it
// counts once, for him and for those who are convicted beside him.
func TestConvictingTwiceConvictsOnce(t *testing.T) {
	lost := func(order []int) map[int]losses {
		m := crossed(t, nil)
		at := m.Head("beta").Checkpoint.Epoch - 1
		proofs := []*attest.FaultProof{
			contradiction(t, m, m.ID, at, nil, 0, 2),
			contradiction(t, m, m.ID, at, nil, 1, 2),
			contradiction(t, m, m.ID, at, nil, 2),
		}
		for _, chain := range ledgertest.ChainIDs[:2] {
			for _, i := range order {
				op, err := m.SubmitFault(chain, proofs[i], ledger.AccountID{})
				must(t, err)
				_, err = m.Epoch(chain, op) // what adds nobody is refused
				must(t, err)
			}
			equivocation, err := m.Equivocation("beta", at, 2)
			must(t, err)
			refusedFault(t, m, chain, ledger.CodeDuplicate, equivocation)
			_, all, err := offendersOf(m, chain)
			must(t, err)
			if all != 3 {
				t.Fatalf("%s: %d offences of three offenders in one epoch", chain, all)
			}
		}
		rounds(t, m, 3)
		out := map[int]losses{}
		for i, v := range m.Chains[1].Validators {
			out[i] = lostTo(t, m, v.ID)
		}
		return out
	}
	want := lost([]int{0, 1, 2})
	if want[0].own == 0 || want[3] != (losses{}) {
		t.Fatalf("lost %+v", want)
	}
	for _, order := range [][]int{{2, 1, 0}, {1, 2, 0}} {
		for i, got := range lost(order) {
			if got != want[i] {
				t.Errorf("order %v: validator %d lost %+v, and %+v in another one", order, i, got, want[i])
			}
		}
	}
}

// offendersOf counts the convicted of beta on a ledger, and their offences.
func offendersOf(m *ledgertest.Mesh, chain string) (accounts, offences int, err error) {
	r := m.Reader(chain)
	for _, v := range m.Chains[1].Validators {
		off, err := r.Offender("beta", v.ID)
		if err != nil {
			return 0, 0, err
		}
		if off != nil {
			accounts++
			offences += len(off.Offences)
		}
	}
	return accounts, offences, nil
}

// Signatures for another network or another chain, by the same keys, convict nobody here.
func TestSignaturesForElsewhereConvictNobody(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	network := contradiction(t, m, attest.Network{1}, at, nil, offenderIndex)
	renamed := contradiction(t, m, m.ID, at, func(cp *attest.Checkpoint) { cp.ChainID = []byte("beta-2") }, offenderIndex)
	relabelled, err := attest.DecodeDoubleVote(renamed.Body)
	must(t, err)
	relabelled.First.Checkpoint.ChainID, relabelled.Second.Checkpoint.ChainID = []byte("beta"), []byte("beta")
	back, err := attest.BuildDoubleVote(m.Set("beta", at), &relabelled.First, &relabelled.Second)
	must(t, err)
	set := *m.Set("beta", at).ValidatorSet()
	for _, chain := range ledgertest.ChainIDs[:2] {
		refusedFault(t, m, chain, ledger.CodeInvalid, network)
		refusedFault(t, m, chain, ledger.CodeInvalid, back)
		op, err := ledger.NewSubmitFault(&ledger.SubmitFault{Proof: *renamed, Set: set})
		must(t, err)
		refused(t, m, chain, ledger.CodeUnknown, op)
	}
}

// To report oneself, by oneself or through an account that one owns as well, costs more
// than it brings; a reporter whom the ledger does not know gets nothing, and becomes
// nobody.
func TestReportingOneselfDoesNotPay(t *testing.T) {
	stranger := ledger.AccountOf(newCandidate(t, "stranger", "").account)
	for _, c := range []struct {
		name     string
		reporter func(m *ledgertest.Mesh) ledger.AccountID
		reward   uint64
	}{
		{"himself", func(m *ledgertest.Mesh) ledger.AccountID { return offender(m).ID }, 0},
		{"an account of his", func(m *ledgertest.Mesh) ledger.AccountID { return m.Chains[1].Validators[3].ID }, 15_000},
		{"a lender", func(m *ledgertest.Mesh) ledger.AccountID { return m.Chains[0].Validators[3].ID }, 0}, // of another chain
		{"a stranger", func(*ledgertest.Mesh) ledger.AccountID { return stranger }, 0},
		{"nobody", func(*ledgertest.Mesh) ledger.AccountID { return ledger.AccountID{} }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := crossed(t, nil)
			proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch-1, offenderIndex)
			must(t, err)
			before, known, err := m.Reader("beta").Account(c.reporter(m))
			must(t, err)
			for _, chain := range ledgertest.ChainIDs[:2] {
				op, err := m.SubmitFault(chain, proof, c.reporter(m))
				must(t, err)
				epoch(t, m, chain, op)
			}
			rounds(t, m, 3)
			want := all
			want.reward = c.reward
			got := lostTo(t, m, offender(m).ID)
			if got != want {
				t.Fatalf("lost %+v, want %+v", got, want)
			}
			if got.reward*20 > got.own {
				t.Errorf("the reward is more than a twentieth of what the offender himself lost: %+v", got)
			}
			after, still, err := m.Reader("beta").Account(c.reporter(m))
			must(t, err)
			if still != known {
				t.Error("to report made an account")
			}
			if c.reporter(m) == offender(m).ID {
				return
			}
			paid := new(uint256.Int).Sub(after.Collateral.Int(), before.Collateral.Int())
			if !paid.Eq(uint256.NewInt(c.reward)) {
				t.Errorf("the reporter got %s, want %d", paid.Dec(), c.reward)
			}
		})
	}
}
