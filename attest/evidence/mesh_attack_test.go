package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
)

// meshOf registers the keys of a home chain's validators in a mesh, and has it certify a
// block of theirs as the last one of epoch 2.
func meshOf(t testing.TB, l *comet.LightBlock) (*attest.Set, *attest.Certificate) {
	t.Helper()
	v := &attest.ValidatorSet{}
	var keys []bls.SecretKey
	for i, member := range l.Set.Members {
		seed := sha256.Sum256(member.Key.Bytes)
		key, err := bls.GenerateKey(bytes.NewReader(seed[:]))
		must(t, err)
		keys = append(keys, key)
		v.Validators = append(v.Validators, &attest.Validator{
			Key: key.PublicKey().Bytes(), Account: seed, Power: attest.EncodePower(uint256.NewInt(uint64(10 + i))),
			ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: member.Key.Bytes},
		})
	}
	slices.SortFunc(v.Validators, func(a, b *attest.Validator) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	set, err := attest.NewSet(v)
	must(t, err)
	cp := attest.Checkpoint{
		ChainID: []byte(l.Header.ChainID), Epoch: 2, Height: uint64(l.Header.Height), BlockHash: [32]byte(l.Header.Hash()), Time: uint64(l.Header.Time.UnixMilli()),
	}
	signers, signatures := attest.NewBits(set.Len()), []bls.Signature{}
	for i, key := range keys {
		signers.Set(i)
		message := cp.SigningRoot(attest.Network{7})
		signatures = append(signatures, key.Sign(message[:]))
	}
	sum, err := bls.Aggregate(signatures)
	must(t, err)
	return set, &attest.Certificate{Checkpoint: cp, Signers: signers, Signature: sum.Bytes()}
}

// The two headers that Interchain Security has in its tests differ in their time alone,
// and are signed in one round: whichever of them the chain has, all four are convicted.
func TestAnAttackOfInterchainSecurityConvictsInTheMesh(t *testing.T) {
	first, second, err := evidence.LightBlocks(vector(t, "cometbft", "ics_light_client_attack.json"))
	must(t, err)
	for _, k := range [][2]*comet.LightBlock{{first, second}, {second, first}} {
		own, other := k[0], k[1]
		set, certificate := meshOf(t, own)
		e := attest.AttackEvidence{
			Certificate: certificate, Headers: []*comet.Header{own.Header}, Commit: own.Commit, Validators: own.Set,
			Conflicting: other.Header, ConflictingCommit: other.Commit,
		}
		proof, err := attest.BuildLightClientAttack(set, e)
		must(t, err)
		r := verifiedMesh(t, set, proof)
		if !r.Valid || r.Kind != "light_client_attack" || r.Chain != "testchain2" || r.Epoch != 2 || len(r.Offenders) != 4 {
			t.Fatalf("%+v", r)
		}

		// Without the chain's own commit it is a fork, as anybody would see it.
		e.Commit = nil
		proof, err = attest.BuildLightClientAttack(set, e)
		must(t, err)
		if r = verifiedMesh(t, set, proof); !r.Valid || len(r.Offenders) != 0 || !strings.Contains(r.Checks[0].Detail, "nobody is accused") {
			t.Fatalf("%+v", r)
		}

		e.Headers = []*comet.Header{other.Header} // that is not what was certified
		if _, err := attest.BuildLightClientAttack(set, e); err == nil {
			t.Fatal("another block is taken for the chain's")
		}
	}
}

func verifiedMesh(t *testing.T, set *attest.Set, proof *attest.FaultProof) evidence.Report {
	t.Helper()
	encoded, err := attest.EncodeFaultProof(proof)
	must(t, err)
	members, err := attest.EncodeValidatorSet(set.ValidatorSet())
	must(t, err)
	reports, err := evidence.Mesh{Law: attest.Network{7}, Sets: [][]byte{members}}.Verify(encoded)
	must(t, err)
	consistent(t, reports[0])
	return reports[0]
}

// Of the two headers of a misbehaviour, neither is known to be the chain's.
func TestAMisbehaviourIsNoOffenceThatIsProven(t *testing.T) {
	found, refused, err := evidence.Comet{}.Offences(vector(t, "cometbft", "ics_light_client_attack.json"))
	if err != nil || len(found.Attacks)+len(found.DoubleVotes) != 0 || len(refused) != 1 || !errors.Is(refused[0], evidence.ErrNoFault) {
		t.Errorf("%+v, refused %v, %v", found, refused, err)
	}
}
