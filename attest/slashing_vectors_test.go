package attest_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
)

// slashingVector is a slashing of the consensus specification's test suite, with roots in
// place of the signed objects.
type slashingVector struct {
	Origin   string `json:"origin"`
	Kind     string `json:"kind"`
	Expected bool   `json:"expected_valid"`
	Result   string `json:"computed_result"`
	Version  string `json:"fork_current_version"`
	Genesis  string `json:"genesis_validators_root"`
	Sides    [2]struct {
		Indices   []uint64 `json:"attesting_indices"`
		Proposer  uint64   `json:"proposer_index"`
		Keys      []string `json:"pubkeys"`
		Root      string   `json:"object_root"`
		Signing   string   `json:"signing_root"`
		Signature string   `json:"signature"`
		Slot      uint64   `json:"slot"`
		Source    uint64   `json:"source_epoch"`
		Target    uint64   `json:"target_epoch"`
	} `json:"sides"`
}

func slashingVectors(t *testing.T) (all []slashingVector) {
	t.Helper()
	root := os.Getenv("MESHSEC_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(root, "ethereum-slashing", "operations.json"))
	if err != nil {
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: no third-party vectors: %v; set MESHSEC_VECTORS to their folder", err)
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 45 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

func vectorBytes[T [4]byte | [32]byte | [48]byte | [96]byte](t *testing.T, text string) (out T) {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	switch into := any(&out).(type) {
	case *[4]byte:
		*into = [4]byte(b)
	case *[32]byte:
		*into = [32]byte(b)
	case *[48]byte:
		*into = [48]byte(b)
	case *[96]byte:
		*into = [96]byte(b)
	}
	return out
}

// boundTo is a set whose members have exactly these keys on a beacon chain.
func boundTo(t *testing.T, keys [][48]byte) *attest.Set {
	t.Helper()
	c := equalCast(t, len(keys))
	v := c.set.ValidatorSet()
	for i := range v.Validators {
		v.Validators[i].ConsensusKey = attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: keys[i][:]}
		v.Validators[i].Power = attest.EncodePower(uint256.NewInt(32e9))
	}
	return must[*attest.Set](t)(attest.NewSet(v))
}

// A vector's attesters become members of a set. What the specification then slashes for,
// the law convicts of. It differs in three ways, which are of the form: attesters are
// bits, so that their order says nothing; the state of the chain, in which somebody may
// have been slashed already, is not asked; and there are no attesters without a key.
func TestTheSpecificationsVectorsAsProofsOfTheMesh(t *testing.T) {
	judged := 0
	for _, v := range slashingVectors(t) {
		t.Run(v.Kind+"/"+path.Base(v.Origin), func(t *testing.T) {
			var keys [][48]byte
			for i := range v.Sides {
				side := &v.Sides[i]
				if len(side.Keys) == 0 || v.Kind == "attester_slashing" && len(side.Keys) != len(side.Indices) {
					if v.Expected {
						t.Fatal("a valid vector has attesters without keys")
					}
					return // no such aggregate can be written down
				}
				for _, text := range side.Keys {
					if key := vectorBytes[[48]byte](t, text); !slices.Contains(keys, key) {
						keys = append(keys, key)
					}
				}
			}
			set := boundTo(t, keys)
			beacon := &attest.Beacon{Chain: ethereum.Chain{
				GenesisValidatorsRoot: vectorBytes[[32]byte](t, v.Genesis), Forks: []ethereum.Fork{{Version: vectorBytes[[4]byte](t, v.Version)}}, SlotsPerEpoch: 8,
			}, EpochSlots: 8}
			var sides [2]attest.EthereumRoots
			for i := range v.Sides {
				s := &v.Sides[i]
				var who [][48]byte
				for _, text := range s.Keys {
					who = append(who, vectorBytes[[48]byte](t, text))
				}
				sides[i] = attest.EthereumRoots{
					Proposal: v.Kind == "proposer_slashing", Root: vectorBytes[[32]byte](t, s.Root), Signature: vectorBytes[[96]byte](t, s.Signature),
					Slot: s.Slot, Proposer: s.Proposer, Source: s.Source, Target: s.Target,
					Signers: must[attest.Bits](t)(attest.EthereumSigners(set, who...)),
				}
			}
			ofState := strings.HasPrefix(v.Result, "nobody slashable") || strings.HasPrefix(v.Result, "proposer not slashable")
			ofOrder := strings.HasPrefix(path.Base(v.Origin), "unsorted") || strings.HasSuffix(v.Origin, "duplicate_index_normal_signed")
			err := attest.JudgeEthereumRoots(beacon, set, sides)
			if (err == nil) != (v.Expected || ofState || ofOrder) {
				t.Fatalf("the specification says %v (%s), the law: %v", v.Expected, v.Result, err)
			}
			judged++
		})
	}
	if judged < 38 {
		t.Fatalf("only %d of the vectors were judged", judged)
	}
	t.Logf("%d vectors were judged, the others have attesters without keys", judged)
}
