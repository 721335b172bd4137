package evidence_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
)

// beaconLaw is that of a network with one beacon chain.
type beaconLaw struct {
	attest.Law
	chain  string
	beacon *attest.Beacon
}

func (l beaconLaw) Beacon(chain string) *attest.Beacon {
	if chain == l.chain {
		return l.beacon
	}
	return nil
}

// meshSlashing is the golden Ethereum slashing with what it is judged by.
func meshSlashing(t *testing.T) (proof string, knows evidence.Mesh) {
	t.Helper()
	b, err := os.ReadFile("../testdata/ethereum_slashing.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		SSZ    string `json:"ssz"`
		Set    string `json:"validator_set"`
		Beacon struct {
			Root  string `json:"genesis_validators_root"`
			Forks []struct {
				Epoch   uint64
				Version string
			}
			FirstSlot  uint64 `json:"first_slot"`
			EpochSlots uint64 `json:"epoch_slots"`
			PerEpoch   uint64 `json:"slots_per_epoch"`
		}
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	beacon := &attest.Beacon{FirstSlot: g.Beacon.FirstSlot, EpochSlots: g.Beacon.EpochSlots}
	beacon.GenesisValidatorsRoot, beacon.SlotsPerEpoch = [32]byte(hexBytes(t, g.Beacon.Root)), g.Beacon.PerEpoch
	for _, f := range g.Beacon.Forks {
		beacon.Forks = append(beacon.Forks, ethereum.Fork{Epoch: f.Epoch, Version: [4]byte(hexBytes(t, f.Version))})
	}
	return g.SSZ, evidence.Mesh{Law: beaconLaw{attest.Network{}, "alpha-1", beacon}, Sets: [][]byte{[]byte(g.Set)}}
}

func TestAMeshProofOfAnEthereumSlashing(t *testing.T) {
	proof, knows := meshSlashing(t)
	reports, err := knows.Verify([]byte(proof))
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	if r := reports[0]; !r.Valid || r.Kind != "ethereum_slashing" || r.Chain != "alpha-1" || r.Epoch != 6 || len(r.Offenders) != 1 {
		t.Fatalf("%+v", r)
	}
	consistent(t, reports[0])

	another := knows
	changed := *knows.Law.(beaconLaw).beacon
	changed.GenesisValidatorsRoot[0] ^= 1
	another.Law = beaconLaw{attest.Network{}, "alpha-1", &changed}
	if reports, err := another.Verify([]byte(proof)); err != nil || reports[0].Valid || len(reports[0].Offenders) != 0 {
		t.Errorf("signed for another beacon chain: %+v, %v", reports, err)
	}
	for name, law := range map[string]attest.Law{"no manifest": attest.Network{}, "a manifest without the chain": beaconLaw{attest.Network{}, "beta", &changed}} {
		unknowing := knows
		unknowing.Law = law
		_, err := unknowing.Verify([]byte(proof))
		if missing := (*evidence.Missing)(nil); !errors.Is(err, evidence.ErrManifest) || !errors.As(err, &missing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The bytes of a proof may end in what is space in a text: here the bits of the signer 1
// of 3.
func TestAProofThatEndsInALineFeed(t *testing.T) {
	text, _ := meshProof(t)
	p, err := attest.DecodeFaultProof(hexBytes(t, text))
	if err != nil {
		t.Fatal(err)
	}
	d, err := attest.DecodeDoubleVote(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	bits := attest.NewBits(3)
	bits.Set(1)
	d.First.Signers, d.Second.Signers = bits, bits
	if p.Body, err = attest.EncodeDoubleVote(d); err != nil {
		t.Fatal(err)
	}
	encoded, err := attest.EncodeFaultProof(p)
	if err != nil || encoded[len(encoded)-1] != '\n' {
		t.Fatalf("it ends in %q, %v", encoded[len(encoded)-1], err)
	}
	for name, file := range map[string][]byte{"bytes": encoded, "hex": []byte(hex.EncodeToString(encoded) + "\n")} {
		proofs, err := evidence.ParseProofs(file)
		if err != nil || len(proofs) != 1 || proofs[0].ID() != p.ID() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
