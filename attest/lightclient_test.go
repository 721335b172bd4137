package attest_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
)

// follow builds a chain of three epochs with a new set in each, and the light client
// that stands before it.
func TestLightClientFollowsFromGenesisThroughChangingSets(t *testing.T) {
	casts := []*cast{equalCast(t, 4), equalCast(t, 5), newCast(t, 9, 1, 1)}
	genesis := checkpoint(0, "genesis")
	genesis.ValidatorsRoot = casts[0].set.Root()
	trusted := attest.Trust(genesis)
	for i, c := range casts {
		cp := checkpoint(uint64(i+1), "a")
		cp.Parent = trusted.Root
		cp.ValidatorsRoot = casts[(i+1)%len(casts)].set.Root()
		certificate := c.certificate(t, cp, everybody(c.set.Len())...)
		next := must[attest.Trusted](t)(attest.Follow(testNet, trusted, c.set, certificate))
		want := attest.Trusted{ChainID: testChain, Epoch: cp.Epoch, Root: cp.Root(), ValidatorsRoot: cp.ValidatorsRoot, Time: cp.Time}
		if next != want {
			t.Fatalf("got %+v, want %+v", next, want)
		}
		verified := must[attest.VerifiedCertificate](t)(attest.VerifyCertificate(testNet, c.set, certificate))
		if again := must[attest.Trusted](t)(trusted.Next(verified)); again != next {
			t.Fatalf("Next gives %+v, Follow %+v", again, next)
		}
		trusted = next
	}
}

func TestLightClientSaysWhyItDoesNotFollow(t *testing.T) {
	c := equalCast(t, 4)
	genesis := checkpoint(0, "genesis")
	genesis.ValidatorsRoot = c.set.Root()
	trusted := attest.Trust(genesis)
	cases := []struct {
		name   string
		change func(*attest.Checkpoint)
		set    *attest.Set
		who    []int
		rule   attest.Rule
	}{
		{"ahead", func(cp *attest.Checkpoint) { cp.Epoch = 2 }, c.set, everybody(4), attest.RuleAhead},
		{"far ahead", func(cp *attest.Checkpoint) { cp.Epoch = 1<<64 - 1 }, c.set, everybody(4), attest.RuleAhead},
		{"other chain", func(cp *attest.Checkpoint) { cp.ChainID = []byte("gamma") }, c.set, everybody(4), attest.RuleWrongChain},
		{"other branch", func(cp *attest.Checkpoint) { cp.Parent[0]++ }, c.set, everybody(4), attest.RuleParent},
		{"other set", func(*attest.Checkpoint) {}, newCast(t, 1, 2, 3, 4).set, everybody(4), attest.RuleWrongSet},
		{"too few", func(*attest.Checkpoint) {}, c.set, []int{0, 1}, attest.RuleQuorum},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			cp := checkpoint(1, "a")
			cp.Parent = trusted.Root
			k.change(cp)
			after, err := attest.Follow(testNet, trusted, k.set, c.certificate(t, cp, k.who...))
			wantRule(t, err, k.rule)
			if after != trusted {
				t.Error("trust moved")
			}
		})
	}
	t.Run("old", func(t *testing.T) {
		cp := checkpoint(1, "a")
		cp.Parent = trusted.Root
		here := attest.Trust(cp)
		_, err := attest.Follow(testNet, here, c.set, c.certificate(t, cp, everybody(4)...))
		wantRule(t, err, attest.RuleOld)
	})
	t.Run("forged", func(t *testing.T) {
		cp := checkpoint(1, "a")
		cp.Parent = trusted.Root
		certificate := c.certificate(t, cp, everybody(4)...)
		certificate.Checkpoint.Time++
		_, err := attest.Follow(testNet, trusted, c.set, certificate)
		wantRule(t, err, attest.RuleSignature)
	})
}
