package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

// manifestFile writes the manifest of the fake network.
func (n *fakeNode) manifestFile(t *testing.T) string {
	t.Helper()
	b, err := n.mesh.Manifest.Encode()
	ok(t, err)
	return write(t, t.TempDir(), "manifest.toml", string(b))
}

func TestAProofConvincesOffline(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	n.convict(t) // five epochs of alpha; the set changes in between
	offender := n.mesh.Chains[0].Validators[1].ID
	nobody := ledger.AccountID{9}
	file := filepath.Join(t.TempDir(), "proof.json")
	names := []string{"account/" + offender.String(), "offender/alpha/" + offender.String(), "account/" + nobody.String()}
	made := decoded[provenFile](t, done(t, append([]string{"ledger", "prove", "--node", n.url, "--from-genesis", "--out", file, "--json"}, names...)...))
	if made.Chain != "alpha" || made.Epoch != 5 || made.Certificates != 5 || made.Records != 3 {
		t.Errorf("made %+v", made)
	}
	manifest := n.manifestFile(t)
	r := decoded[proofReport](t, done(t, "ledger", "verify", file, "--manifest", manifest, "--json"))
	checkpoint := n.mesh.Head("alpha").Checkpoint.Root()
	if r.Epoch != 5 || !bytes.Equal(r.Checkpoint, checkpoint[:]) || len(r.Records) != 3 || !strings.Contains(r.Trusted, "genesis of network "+n.mesh.ID.String()) {
		t.Errorf("report %+v", r)
	}
	if !r.Records[0].Present || r.Records[0].Record.(map[string]any)["collateral"] == "" || r.Records[2].Present || r.Records[2].Record != nil {
		t.Errorf("records %+v", r.Records)
	}
	golden(t, "ledger_verify.txt", strings.ReplaceAll(done(t, "ledger", "verify", file, "--manifest", manifest), file, "FILE"))

	// The same under other trust, and with less in the file.
	set := n.mesh.Set("alpha", 4).Root()
	third := n.mesh.Past("alpha", 3).Checkpoint.Root()
	short := filepath.Join(t.TempDir(), "short.json")
	done(t, "ledger", "prove", "meta", "--node", n.url, "--epoch", "4", "--out", short)
	done(t, "ledger", "verify", short, "--validators-root", hex.EncodeToString(set[:]))
	fails(t, exitFailed, []string{"short.json is not valid: its certificates begin with epoch 4", "--from-genesis"}, "ledger", "verify", short, "--manifest", manifest)
	trusted := fmt.Sprintf("alpha:3:%x", third)
	fails(t, exitFailed, []string{"has no certificate of epoch 3", "--from 3"}, "ledger", "verify", short, "--trust", trusted)
	longer := write(t, t.TempDir(), "longer.json", done(t, "ledger", "prove", "meta", "--node", n.url, "--epoch", "4", "--from", "3"))
	done(t, "ledger", "verify", longer, "--trust", trusted, "--manifest", manifest)
	fails(t, exitFailed, []string{"trusted is"}, "ledger", "verify", longer, "--trust", fmt.Sprintf("alpha:3:%x", checkpoint))

	// What is wrong with the file, or with how it is asked about.
	b, err := os.ReadFile(short)
	ok(t, err)
	tail := write(t, t.TempDir(), "tail.json", string(b)+" ")
	fails(t, exitFailed, []string{"is not valid", "canonical"}, "ledger", "verify", tail, "--manifest", manifest)
	other := newFakeNode(t)
	other.mesh.Manifest.Name = "another"
	fails(t, exitUsage, []string{"signature"}, "ledger", "verify", file, "--manifest", other.manifestFile(t))
	fails(t, exitUsage, []string{"no such file"}, "ledger", "verify", file+"x", "--manifest", manifest)
	fails(t, exitUsage, []string{"nothing is trusted"}, "ledger", "verify", file)
	fails(t, exitUsage, []string{"--trust is"}, "ledger", "verify", file, "--trust", "alpha:x:00")
	fails(t, exitUsage, []string{"give one"}, "ledger", "verify", file, "--trust", trusted, "--validators-root", hex.EncodeToString(set[:]))
	fails(t, exitUsage, []string{"KEY, the name of a record, is missing"}, "ledger", "prove")
	fails(t, exitUsage, []string{`"acount/x" is not the name of a record`}, "ledger", "prove", "acount/x")
	fails(t, exitFailed, []string{"exists already"}, "ledger", "prove", "meta", "--node", n.url, "--out", file)
	fails(t, exitFailed, []string{"epoch 6 of alpha is not certified on the node at " + n.url + ", the newest is 5"}, "ledger", "prove", "meta", "--node", n.url, "--epoch", "6")
	fails(t, exitFailed, []string{`has no ledger of "omega": it has [alpha beta]`}, "ledger", "prove", "meta", "--node", n.url, "--chain", "omega")
}
