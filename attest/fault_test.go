package attest_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

func TestDoubleVoteConvictsWhoSignedBoth(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	rapid.Check(t, func(t *rapid.T) {
		signers := func(label string) []int {
			who := rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID).Draw(t, label)
			slices.Sort(who)
			return who
		}
		first, second := signers("first"), signers("second")
		var both []int
		for _, i := range first {
			if slices.Contains(second, i) {
				both = append(both, i)
			}
		}
		a := c.aggregate(t, checkpoint(5, "a"), first...).Certificate()
		b := c.aggregate(t, checkpoint(5, "b"), second...).Certificate()
		proof, err := attest.BuildDoubleVote(c.set, a, b)
		if len(both) == 0 {
			wantRule(t, err, attest.RuleOffender)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		swapped, err := attest.BuildDoubleVote(c.set, b, a)
		if err != nil || swapped.ID() != proof.ID() || !bytes.Equal(swapped.Body, proof.Body) {
			t.Fatal("the proof depends on the order of its sides")
		}
		accusation, err := attest.Peek(proof)
		if err != nil {
			t.Fatal(err)
		}
		if accusation.ChainID != testChain || accusation.Epoch != 5 || accusation.Kind != attest.FaultDoubleVote ||
			accusation.ValidatorsRoot != c.set.Root() || !slices.Equal(slices.Collect(accusation.Accused.Ones()), both) {
			t.Fatalf("peek: %+v", accusation)
		}
		v, err := attest.VerifyFault(testNet, c.set, proof)
		if err != nil {
			t.Fatal(err)
		}
		if v.ChainID() != testChain || v.Epoch() != 5 || v.Kind() != attest.FaultDoubleVote || v.ID() != proof.ID() || v.Proof().ID() != proof.ID() {
			t.Fatalf("fault: %+v", v)
		}
		offenders := v.Offenders()
		if len(offenders) != len(both) {
			t.Fatalf("%d offenders, want %v", len(offenders), both)
		}
		for j, i := range both {
			o, member := offenders[j], c.set.At(i)
			if o.Key != member.Key || o.Account != member.Account || !o.Power.Eq(c.set.Power(i)) || !o.Total.Eq(c.set.Total()) {
				t.Fatalf("offender %d is %+v", j, o)
			}
		}
	})
}

func TestBuildDoubleVoteRefusesWhatIsNone(t *testing.T) {
	c := equalCast(t, 4)
	a := c.certificate(t, checkpoint(5, "a"), 0, 1)
	otherChain := checkpoint(5, "b")
	otherChain.ChainID = []byte("gamma")
	short := c.certificate(t, checkpoint(5, "b"), 0)
	short.Signers = []byte{0x0b}
	for _, k := range []struct {
		name string
		b    *attest.Certificate
		rule attest.Rule
	}{
		{"same checkpoint", c.certificate(t, checkpoint(5, "a"), 1, 2), attest.RuleContradiction},
		{"other epoch", c.certificate(t, checkpoint(6, "b"), 0, 1), attest.RuleContradiction},
		{"other chain", c.certificate(t, otherChain, 0, 1), attest.RuleContradiction},
		{"nobody in both", c.certificate(t, checkpoint(5, "b"), 2, 3), attest.RuleOffender},
		{"short bitfield", short, attest.RuleBitfield},
		{"no bitfield", &attest.Certificate{Checkpoint: *checkpoint(5, "b")}, attest.RuleBitfield},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := attest.BuildDoubleVote(c.set, a, k.b)
			wantRule(t, err, k.rule)
		})
	}
}

func TestVerifyFaultSaysWhatIsWrong(t *testing.T) {
	c := equalCast(t, 4)
	a, b := c.certificate(t, checkpoint(5, "a"), 0, 1), c.certificate(t, checkpoint(5, "b"), 1, 2)
	good := c.doubleVote(t, a, b)
	change := func(f func(*attest.DoubleVote)) *attest.FaultProof {
		d := must[*attest.DoubleVote](t)(attest.DecodeDoubleVote(good.Body))
		f(d)
		// Not by way of the encoder, which refuses.
		return &attest.FaultProof{Kind: uint8(attest.FaultDoubleVote), Body: must[[]byte](t)(d.MarshalSSZ())}
	}
	for _, k := range []struct {
		name  string
		net   attest.Network
		set   *attest.Set
		proof *attest.FaultProof
		rule  attest.Rule
	}{
		{"other network", attest.Network{1}, c.set, good, attest.RuleSignature},
		{"other set", testNet, newCast(t, 1, 2, 3, 4).set, good, attest.RuleWrongSet},
		{"swapped", testNet, c.set, change(func(d *attest.DoubleVote) { d.First, d.Second = d.Second, d.First }), attest.RuleOrder},
		{"twice the same", testNet, c.set, change(func(d *attest.DoubleVote) { d.Second = d.First }), attest.RuleContradiction},
		{"innocent added", testNet, c.set, change(func(d *attest.DoubleVote) {
			attest.Bits(d.First.Signers).Set(3)
			attest.Bits(d.Second.Signers).Set(3)
		}), attest.RuleSignature},
		{"forged second side", testNet, c.set, change(func(d *attest.DoubleVote) { d.Second.Signature = d.First.Signature }), attest.RuleSignature},
		{"longer bitfields", testNet, c.set, change(func(d *attest.DoubleVote) {
			d.First.Signers, d.Second.Signers = []byte{0x33}, []byte{0x36}
		}), attest.RuleBitfield},
		{"trailing byte", testNet, c.set, &attest.FaultProof{Kind: 1, Body: append(bytes.Clone(good.Body), 0)}, attest.RuleEncoding},
		{"empty", testNet, c.set, &attest.FaultProof{Kind: 1}, attest.RuleEncoding},
		{"kind 0", testNet, c.set, &attest.FaultProof{Body: good.Body}, attest.RuleEncoding},
		{"later kind", testNet, c.set, &attest.FaultProof{Kind: 77, Body: make([]byte, 400<<10)}, attest.RuleUnsupported},
		{"unknown kind", testNet, c.set, &attest.FaultProof{Kind: 200}, attest.RuleUnsupported},
		{"too large", testNet, c.set, &attest.FaultProof{Kind: 4, Body: make([]byte, 160<<10)}, attest.RuleSize},
	} {
		t.Run(k.name, func(t *testing.T) {
			v, err := attest.VerifyFault(k.net, k.set, k.proof)
			wantRule(t, err, k.rule)
			if !v.IsZero() || v.Offenders() != nil {
				t.Error("a refused proof convicts")
			}
		})
	}
}

func TestKindsHaveNamesAndLimits(t *testing.T) {
	for kind, want := range map[attest.FaultKind]struct {
		name      string
		max       int
		supported bool
	}{
		attest.FaultDoubleVote:            {"double_vote", 160 << 10, true},
		attest.FaultInvalidTransition:     {"invalid_transition", 512 << 10, true},
		attest.FaultInvalidOperations:     {"invalid_operations", 392 << 10, true},
		attest.FaultConsensusEquivocation: {"consensus_equivocation", 160 << 10, true},
		attest.FaultLightClientAttack:     {"light_client_attack", 160 << 10, true},
		attest.FaultEthereumSlashing:      {"ethereum_slashing", 160 << 10, true},
		77:                                {"fault_77", 512 << 10, false},
	} {
		if kind.String() != want.name || kind.MaxSize() != want.max || kind.Supported() != want.supported {
			t.Errorf("%d: %s, %d bytes", kind, kind, kind.MaxSize())
		}
	}
}

func TestFaultIDIsTheHashOfItsDocumentedLayout(t *testing.T) {
	b := append([]byte{16, 0, 0, 0, 0, 0, 0, 0}, "meshsec/v1/fault"...)
	b = append(b, 3)
	b = append(b, 2, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, "hi"...)
	if got := (&attest.FaultProof{Kind: 3, Body: []byte("hi")}).ID(); got != sha256.Sum256(b) {
		t.Error("the layout is another")
	}
}

func TestVerifiedFaultDoesNotChangeWithItsSource(t *testing.T) {
	c := equalCast(t, 4)
	proof := c.doubleVote(t, c.certificate(t, checkpoint(5, "a"), 1), c.certificate(t, checkpoint(5, "b"), 1))
	v := must[attest.VerifiedFault](t)(attest.VerifyFault(testNet, c.set, proof))
	id := v.ID()
	clear(proof.Body)
	clear(v.Proof().Body)
	v.Offenders()[0].Account[0]++
	if v.ID() != id || v.Offenders()[0].Account != c.set.At(1).Account {
		t.Error("the fault changed")
	}
}
