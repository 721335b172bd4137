package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// attacked is a real chain of which a light client was shown a made-up block, and the mesh
// of its validators.
type attacked struct {
	mesh   *ledgertest.Mesh
	rpc    string
	at     uint64 // the block that carries the evidence
	sent   []byte // the evidence
	answer api.Certificate
}

// attackedAt is the height of the made-up block, in the first epoch.
const attackedAt = 3

func newAttacked(t *testing.T, n *fakeNode) *attacked {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var keys []ed25519.PrivateKey
	for _, v := range n.mesh.Chains[0].Validators {
		keys = append(keys, v.Consensus)
	}
	dir := t.TempDir()
	ok(t, devchain.Init(dir, devchain.Genesis{ChainID: home, Validators: len(keys), ConsensusKeys: keys, Time: time.Now()}))
	c, err := devchain.Start(ctx, dir, devchain.Options{BlockInterval: 100 * time.Millisecond})
	ok(t, err)
	t.Cleanup(func() { ok(t, c.Stop()) })
	adapter, err := comet.Dial(ctx, c.RPC(), comet.Options{})
	ok(t, err)
	t.Cleanup(adapter.Close)
	a := &attacked{mesh: n.mesh, rpc: c.RPC()}
	last := n.mesh.Manifest.Chain(home).EpochBlocks
	cp := attest.Checkpoint{ChainID: []byte(home), Epoch: 1, Height: last}
	found := errors.New("found")
	f := chain.Follower{Next: 1, Poll: 10 * time.Millisecond}
	err = f.Run(ctx, adapter, func(b chain.Block) error {
		if b.Height == last {
			cp.BlockHash, cp.Time = b.Hash, b.Time
		}
		if b.Height == last+1 {
			if a.sent, err = adapter.Attack(ctx, attackedAt, keys[1:]...); err != nil {
				return err
			}
			return adapter.SubmitEvidence(ctx, a.sent)
		}
		if a.at = b.Height; len(b.Evidence) > 0 {
			return found
		}
		return nil
	})
	if err != found {
		t.Fatal(err)
	}
	certificate, err := a.mesh.Certify(&cp)
	ok(t, err)
	a.answer = a.about(t, certificate, a.mesh.Set(home, 1).ValidatorSet())
	return a
}

// about is what a node answers about a certificate that a set signed.
func (a *attacked) about(t *testing.T, c *attest.Certificate, set *attest.ValidatorSet) (out api.Certificate) {
	t.Helper()
	var err error
	out.Certificate, err = attest.EncodeCertificate(c)
	ok(t, err)
	out.Set, err = attest.EncodeValidatorSet(set)
	ok(t, err)
	out.Next = out.Set
	return out
}

func TestAnAttackIsBuiltFromAChain(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNodeOf(t, ledgertest.New(2, 4, nil))
	a := newAttacked(t, n)
	dir := t.TempDir()
	manifest := n.manifestIn(t, dir)
	file := write(t, dir, "attack.pb", string(a.sent))
	answer := jsonFile(t, dir, "certificate.json", a.answer)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/ledgers/alpha/certificates/1" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(a.answer)
	}))
	t.Cleanup(node.Close)

	block := []string{"--rpc", a.rpc, "--height", fmt.Sprint(a.at)}
	files := []string{file, "--rpc", a.rpc}
	offline := []string{"--manifest", manifest, "--validators", answer, "--node", "http://127.0.0.1:1"}
	online := []string{"--manifest", manifest, "--node", node.URL}
	var first []byte
	for _, args := range [][]string{
		append(block, offline...), append(block, online...), append(files, offline...), append(files, online...),
		append(append(files, "--kind", "light_client_attack"), offline...),
	} {
		p := decoded[proofFile](t, done(t, append([]string{"fault", "build"}, args...)...))
		if first == nil {
			first = p.Proof
		}
		if p.Kind != "light_client_attack" || p.Chain != home || p.Epoch != 1 || len(p.Offenders) != 3 || !bytes.Equal(p.Proof, first) {
			t.Errorf("%v: %+v", args, p)
		}
		for _, o := range p.Offenders {
			if o == n.mesh.Chains[0].Validators[0].ID {
				t.Errorf("%v convict who did not sign", args)
			}
		}
	}
	out := filepath.Join(dir, "proof.json")
	done(t, append(append([]string{"fault", "build", "--out", out}, block...), offline...)...)
	done(t, "fault", "verify", out, "--manifest", manifest, "--validators", answer)

	// What was signed twice is proven, whether the epoch of the attack is certified or not.
	set := write(t, dir, "set.ssz", string(a.answer.Set))
	double := write(t, dir, "double.json", string(blockWith(t, home, 6, consensusTwice(t, n.mesh.Chains[0].Validators[1].Consensus, 3))))
	r := meshsec(t, "fault", "build", double, file, "--rpc", a.rpc, "--manifest", manifest, "--validators", set, "--node", n.url)
	if p := decoded[proofFile](t, r.out); r.code != exitOK || p.Kind != "consensus_equivocation" || !strings.Contains(r.err, "epoch 1 of alpha has no certificate yet: try again when it has") {
		t.Errorf("%+v", r)
	}
	text := done(t, append([]string{"fault", "build", double, file, "--rpc", a.rpc}, offline...)...)
	if both := decoded[[]proofFile](t, text); len(both) != 2 || !bytes.Equal(both[1].Proof, first) {
		t.Error(text)
	}

	// Of a set with other keys nobody signed, and another certificate is not the chain's.
	strangers := a.mesh.Set(home, 1).ValidatorSet()
	for i := range strangers.Validators {
		strangers.Validators[i].ConsensusKey.Bytes = bytes.Repeat([]byte{byte(i + 1)}, ed25519.PublicKeySize)
	}
	certificate, err := attest.DecodeCertificate(a.answer.Certificate)
	ok(t, err)
	forged := certificate.Checkpoint
	forged.BlockHash[0] ^= 1
	elsewhere, err := a.mesh.Certify(&forged)
	ok(t, err)
	unsigned := *certificate
	unsigned.Signature[5] ^= 1
	about := func(name string, c *attest.Certificate, set *attest.ValidatorSet) []string {
		return []string{"--manifest", manifest, "--validators", jsonFile(t, dir, name, a.about(t, c, set))}
	}
	mutated := bytes.Replace(a.sent, bytes.Repeat([]byte{0xa5}, 8), bytes.Repeat([]byte{0xa6}, 8), 1)
	for _, tc := range []struct {
		code int
		want string
		args [][]string
	}{
		{exitFailed, "no fault: attest: ", [][]string{block, about("strangers.json", certificate, strangers)}},
		{exitFailed, "no fault: attest: ", [][]string{block, about("elsewhere.json", elsewhere, a.mesh.Set(home, 1).ValidatorSet())}},
		{exitFailed, "no fault: attest: ", [][]string{files, about("unsigned.json", &unsigned, a.mesh.Set(home, 1).ValidatorSet())}},
		{exitUsage, "epoch 1 of alpha has no certificate yet: try again when it has", [][]string{block, {"--manifest", manifest, "--node", n.url}}},
		{exitUsage, "epoch 1 of alpha has no certificate yet: try again when it has", [][]string{files, {"--manifest", manifest, "--validators", set, "--node", n.url}}},
		{exitUsage, "give the --rpc of a node of alpha", [][]string{{file}, offline}},
		{exitUsage, "is unreachable", [][]string{{file, "--rpc", "http://127.0.0.1:1"}, offline}},
		{exitUsage, `serves chain "beta"`, [][]string{{file, "--rpc", fakeRPC(t, map[string]string{"status": strings.Replace(rpcStatus, home, "beta", 1)})}, offline}},
		{exitUsage, "height 5, alpha is at 4", [][]string{{file, "--rpc", fakeRPC(t, map[string]string{"status": strings.Replace(rpcStatus, `"9"`, `"4"`, 1)})}, offline}},
		{exitFailed, "no fault: the evidence is of chain alpha, not of beta", [][]string{files, offline, {"--chain-id", "beta"}}},
		{exitFailed, "no fault: the header's hash is", [][]string{{write(t, dir, "mutated.pb", string(mutated)), "--rpc", a.rpc}, offline}},
		{exitFailed, "no fault: it is a light_client_attack, not a consensus_equivocation", [][]string{block, offline, {"--kind", "consensus_equivocation"}}},
	} {
		args := []string{"fault", "build"}
		for _, more := range tc.args {
			args = append(args, more...)
		}
		if r := fails(t, tc.code, []string{tc.want}, args...); strings.Count(r.err, "\n") != 1 {
			t.Errorf("%v: %s", tc.args, r.err)
		}
	}
}
