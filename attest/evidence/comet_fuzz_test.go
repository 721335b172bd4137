package evidence_test

import (
	"bytes"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest/evidence"
)

// FuzzComet judges whatever a file holds. The seeds are valid evidence against all
// validators of a set but one, who signed everything once: nothing convicts him.
func FuzzComet(f *testing.F) {
	c := newCast(10, 20, 30, 40, 50)
	all, honest := []int{0, 1, 2, 3, 4}, c.set.Validators[4].Address.String()
	real := c.lightBlock(f, 10, 0, all, unchanged)
	made := c.lightBlock(f, 10, 0, []int{0, 1, 2, 3}, otherData)
	amnesia := c.lightBlock(f, 10, 1, all, otherData)
	vote := func(i int, id types.BlockID) *types.Vote {
		return c.vote(f, i, cmtproto.PrecommitType, 5, 0, id, twinTime)
	}
	double, err := types.NewDuplicateVoteEvidence(vote(0, blockID(1)), vote(0, blockID(2)), twinTime, c.set)
	must(f, err)
	attack := &types.LightClientAttackEvidence{ConflictingBlock: made, CommonHeight: 10, TotalVotingPower: 150, Timestamp: twinTime}
	message, err := attack.ToProto()
	must(f, err)
	one, err := cmtjson.Marshal(vote(4, blockID(1)))
	must(f, err)
	two, err := cmtjson.Marshal(vote(1, blockID(1)))
	must(f, err)
	add := func(v any) {
		b, err := cmtjson.Marshal(v)
		must(f, err)
		f.Add(b)
	}
	for _, seed := range dialects(f, double, double.ToProto()) {
		f.Add(seed)
	}
	for _, seed := range dialects(f, attack, message) {
		f.Add(seed)
	}
	add(real)
	add(amnesia)
	add(c.set)
	f.Add([]byte(`{"vote_a":` + string(one) + `,"vote_b":` + string(two) + `}`))
	trusted, err := cmtjson.Marshal(real)
	must(f, err)
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(f)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, files := range [][][]byte{{data}, {data, trusted}} {
			reports, err := knows.Verify(files...)
			if err != nil {
				continue
			}
			for _, r := range reports {
				consistent(t, r)
				for _, o := range r.Offenders {
					if o.Name == honest {
						t.Errorf("convicted an honest validator: %+v", r)
					}
				}
			}
		}
		checkUntouched(t, data, func() { _, _ = knows.Verify(data) })
	})
}

// FuzzCometKeys reads lists of keys.
func FuzzCometKeys(f *testing.F) {
	c := newCast(1, 2)
	f.Add(c.validatorsJSON(f))
	f.Add([]byte(osmosisKey))
	f.Add([]byte("# keys\nsecp256k1: AjE=\n\ned25519:" + osmosisKey))
	f.Add([]byte(`[{"@type":"/cosmos.crypto.ed25519.PubKey","key":"cWOywd77+tG67FuJjTyXn8ou1dIBNZtaqSKbH62Wghs="},{"Sum":{"type":"x","value":{"ed25519":"cWOywd77+tG67FuJjTyXn8ou1dIBNZtaqSKbH62Wghs="}}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := evidence.ParseCometKeys(data)
		if (n > 0) != (err == nil) && err == nil {
			t.Errorf("%d keys and no error", n)
		}
		if n > 2*len(data) {
			t.Errorf("%d keys in %d bytes", n, len(data))
		}
	})
}

func checkUntouched(t *testing.T, data []byte, f func()) {
	t.Helper()
	before := bytes.Clone(data)
	if f(); !bytes.Equal(data, before) {
		t.Error("the input was changed")
	}
}

func TestKeysInManyForms(t *testing.T) {
	const key = `"cWOywd77+tG67FuJjTyXn8ou1dIBNZtaqSKbH62Wghs="`
	for file, want := range map[string]int{
		osmosisKey: 1,
		"# two\ned25519: " + osmosisKey + "\nsecp256k1:Ay7+W5pu5Ls4cqYZ8nmEyeSjY6TGPfWsvTzHLrpzGpcL\n":                       2,
		`{"type":"tendermint/PubKeyEd25519","value":` + key + `}`:                                                            1,
		`{"@type":"/cosmos.crypto.ed25519.PubKey","key":` + key + `}`:                                                        1,
		`{"pub_key":{"Sum":{"type":"tendermint.crypto.PublicKey_Ed25519","value":{"ed25519":` + key + `}}}}`:                 1,
		`[{"consensus_pubkey":{"ed25519":` + key + `}},{"pub_key":{"type":"tendermint/PubKeySr25519","value":` + key + `}}]`: 1,
		`{"pub_key":"` + osmosisKey[:64] + `","key_type":"ed25519"}`:                                                         1,
		`{}`:                    0,
		``:                      0,
		`abc`:                   0,
		`sr25519:` + osmosisKey: 0,
		`{"type":"tendermint/PubKeyEd25519","value":"cWOy"}`: 0,
		`{"a":1}{"b":2}`: 0,
	} {
		if n, err := evidence.ParseCometKeys([]byte(file)); n != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d keys: %v", file, n, err)
		}
	}
}
