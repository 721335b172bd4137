package main

import (
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func TestProofsAreTakenFromTheStoreOfAStoppedNode(t *testing.T) {
	mesh, err := ledgertest.Play(ledgertest.New(2, 4, nil))
	ok(t, err)
	dir := homeOf(t, mesh)
	fails(t, exitUsage, []string{"there is no store in", "that has run"}, "fault", "build", "--from-store", dir)
	s := storeOf(t, dir, mesh)
	playInto(t, s, mesh, 4)
	fails(t, exitUsage, []string{"store: locked", "needs the node to be stopped"}, "fault", "build", "--from-store", dir)
	ok(t, s.Close())
	fails(t, exitFailed, []string{"has none"}, "fault", "build", "--from-store", dir)

	var ids []string
	s = storeOf(t, dir, mesh)
	for _, offender := range []int{1, 2} {
		proof, err := mesh.DoubleVote("beta", 3, offender)
		ok(t, err)
		v, err := attest.VerifyFault(mesh.Manifest.Law(), mesh.Set("beta", 3), proof)
		ok(t, err)
		_, err = s.PutFault(v)
		ok(t, err)
		id := proof.ID()
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	ok(t, s.Close())

	one := decoded[proofFile](t, done(t, "fault", "build", "--from-store", dir, ids[1][:12], "--json"))
	if one.Kind != "double_vote" || hex.EncodeToString(one.ID) != ids[1] || len(one.Offenders) != 1 {
		t.Errorf("%+v", one)
	}
	all := filepath.Join(t.TempDir(), "all.json")
	done(t, "fault", "build", "--from-store", dir, "--out", all)
	set, err := attest.EncodeValidatorSet(mesh.Set("beta", 3).ValidatorSet())
	ok(t, err)
	validators := write(t, t.TempDir(), "set.hex", hex.EncodeToString(set))
	done(t, "fault", "verify", all, "--manifest", filepath.Join(dir, "manifest.toml"), "--validators", validators)

	fails(t, exitFailed, []string{"has no fault 00ff…"}, "fault", "build", "--from-store", dir, "00ff")
	fails(t, exitUsage, []string{"want up to 64 hex digits"}, "fault", "build", "--from-store", dir, "xyz")
	fails(t, exitUsage, []string{"one FAULT"}, "fault", "build", "--from-store", dir, "a", "b")
	fails(t, exitUsage, []string{"one of --rpc, --from-node and --from-store"}, "fault", "build", "--from-store", dir, "--from-node", "http://127.0.0.1:1", "a")
	fails(t, exitFailed, []string{"is about chain beta, not alpha"}, "fault", "build", "--from-store", dir, ids[0], "--chain-id", "alpha")
}
