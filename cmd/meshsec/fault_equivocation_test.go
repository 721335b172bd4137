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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// evidenceTime is that of all votes in these tests.
var evidenceTime = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// consensusTwice is what CometBFT has of two votes of a key on alpha.
func consensusTwice(t *testing.T, key ed25519.PrivateKey, height int64) *types.DuplicateVoteEvidence {
	t.Helper()
	public := key.Public().(ed25519.PublicKey)
	out := &types.DuplicateVoteEvidence{TotalVotingPower: 20, ValidatorPower: 10, Timestamp: evidenceTime}
	for i, side := range []**types.Vote{&out.VoteA, &out.VoteB} {
		hash := bytes.Repeat([]byte{byte(i + 1)}, 32)
		v := &types.Vote{
			Type: cmtproto.PrecommitType, Height: height, BlockID: types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}},
			Timestamp: evidenceTime, ValidatorAddress: cmted25519.PubKey(public).Address(),
		}
		v.Signature = ed25519.Sign(key, types.VoteSignBytes(home, v.ToProto()))
		*side = v
	}
	return out
}

// blockWith is what the RPC answers about a block that carries evidence.
func blockWith(t *testing.T, chainID string, height int64, list ...types.Evidence) []byte {
	t.Helper()
	hash := bytes.Repeat([]byte{7}, 32)
	block := &types.Block{Header: types.Header{
		Version: cmtversion.Consensus{Block: 11}, ChainID: chainID, Height: height, Time: evidenceTime, DataHash: types.Txs{}.Hash(),
		ValidatorsHash: hash, EvidenceHash: types.EvidenceList(list).Hash(), ProposerAddress: hash[:20],
	}, Evidence: types.EvidenceData{Evidence: list}}
	b, err := cmtjson.Marshal(coretypes.ResultBlock{BlockID: types.BlockID{Hash: block.Header.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}}, Block: block})
	ok(t, err)
	return b
}

func amino(t *testing.T, v any) string {
	t.Helper()
	b, err := cmtjson.Marshal(v)
	ok(t, err)
	return string(b)
}

func TestEquivocationsAreBuiltFromEvidence(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	_, err := n.mesh.Epoch(home)
	ok(t, err)
	dir := t.TempDir()
	manifest, answer := n.manifestIn(t, dir), n.certificateFile(t, dir, 1)
	offender, other := n.mesh.Chains[0].Validators[1], n.mesh.Chains[0].Validators[0]
	double := consensusTwice(t, offender.Consensus, 3)
	bare := write(t, dir, "evidence.json", amino(t, double))
	block := write(t, dir, "block.json", string(blockWith(t, home, 6, double)))
	message, err := double.ToProto().Marshal()
	ok(t, err)
	inProto := write(t, dir, "evidence.pb", string(message))
	for i, args := range [][]string{
		{bare, "--chain-id", home, "--manifest", manifest, "--validators", answer}, // nobody is asked
		{block, "--manifest", manifest, "--validators", answer},
		{inProto, "--chain-id", home, "--manifest", manifest, "--validators", answer},
		{block, "--node", n.url},
		{block, "--node", n.url, "--manifest", manifest, "--kind", "consensus_equivocation"},
	} {
		out := filepath.Join(dir, fmt.Sprintf("proof-%d.json", i))
		w := decoded[writtenProof](t, done(t, append([]string{"fault", "build", "--json", "--out", out}, args...)...))
		if !w.Valid || w.Kind != "consensus_equivocation" || w.Epoch != 1 || len(w.Offenders) != 1 || w.Offenders[0].Name != offender.ID.String() {
			t.Errorf("%v: %+v", args, w)
		}
		done(t, "fault", "verify", out, "--manifest", manifest, "--validators", answer)
	}

	// Two offenders and a stranger: two proofs in one file, which the others read.
	_, stranger, err := ed25519.GenerateKey(zeros{})
	ok(t, err)
	many := write(t, dir, "many.json", string(blockWith(t, home, 6, double, consensusTwice(t, other.Consensus, 3), consensusTwice(t, stranger, 3))))
	out := filepath.Join(dir, "proofs.json")
	r := meshsec(t, "fault", "build", many, "--node", n.url, "--out", out)
	if r.code != exitOK || !strings.Contains(r.out, "2 proofs written to ") || strings.Count(r.err, "\n") != 1 ||
		!strings.Contains(r.err, "many.json: no fault: ") || !strings.Contains(r.err, "is the consensus address of no validator in the set of alpha epoch 1") {
		t.Errorf("%+v", r)
	}
	done(t, "fault", "verify", out, "--manifest", manifest, "--validators", answer)
	text := done(t, "fault", "submit", out, "--node", n.url, "--account", other.ID.String(), "--json")
	var outcomes []string
	for _, x := range decoded[[]reported](t, text) {
		outcomes = append(outcomes, x.Kind+" "+x.Outcome)
	}
	if got := strings.Join(outcomes, ", "); got != "consensus_equivocation recorded, consensus_equivocation recorded" {
		t.Error(got)
	}
}

// zeros is a reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestWhatIsNoEquivocationIsNotBuilt(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	dir := t.TempDir()
	manifest := n.manifestIn(t, dir)
	offender := n.mesh.Chains[0].Validators[1]
	bare := func(name string, change func(*types.DuplicateVoteEvidence)) string {
		d := consensusTwice(t, offender.Consensus, 3)
		change(d)
		return write(t, dir, name, amino(t, d))
	}
	good := bare("good.json", func(*types.DuplicateVoteEvidence) {})
	block := string(blockWith(t, home, 6, consensusTwice(t, offender.Consensus, 3)))
	set, err := attest.EncodeValidatorSet(n.mesh.Set(home, 1).ValidatorSet())
	ok(t, err)
	offline := []string{"--manifest", manifest, "--validators", write(t, dir, "set.ssz", string(set))}
	// Without a certificate the node does not tell how long epochs are.
	fails(t, exitUsage, []string{"has no certificate of alpha yet", "--manifest"}, "fault", "build", good, "--chain-id", home, "--node", n.url)
	for _, tc := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "give --chain-id", []string{good}},
		{exitFailed, "no fault: attest: signature: ", []string{good, "--chain-id", "beta"}},
		{exitUsage, "the evidence is of chain omega, and the network has [alpha beta]", []string{good, "--chain-id", "omega"}},
		{exitFailed, "no fault: the evidence is of chain alpha, not of beta", []string{write(t, dir, "block.json", block), "--chain-id", "beta"}},
		{exitFailed, "no fault: the votes are of two rounds", []string{bare("rounds.json", func(d *types.DuplicateVoteEvidence) { d.VoteB.Round++ }), "--chain-id", home}},
		{exitFailed, "no fault: both votes are for the same block", []string{bare("same.json", func(d *types.DuplicateVoteEvidence) { d.VoteB = d.VoteA }), "--chain-id", home}},
		{exitFailed, "no fault: attest: signature: ", []string{bare("forged.json", func(d *types.DuplicateVoteEvidence) { d.VoteB.Signature[5] ^= 1 }), "--chain-id", home}},
		{exitFailed, "no fault: vote_a: height 0 is not positive", []string{bare("zero.json", func(d *types.DuplicateVoteEvidence) { d.VoteA.Height = 0 }), "--chain-id", home}},
		{exitFailed, "no fault: the hash of the block's evidence is", []string{write(t, dir, "swapped.json", strings.Replace(block, `"ValidatorPower":"10"`, `"ValidatorPower":"11"`, 1))}},
		{exitFailed, "no fault: there is no evidence in it", []string{write(t, dir, "empty.json", string(blockWith(t, home, 6)))}},
		{exitUsage, "not evidence in any known form", []string{good, "--kind", "double_vote"}},
		{exitUsage, "--rpc is for attacks on light clients, and there is none in it", []string{good, "--chain-id", home, "--rpc", "http://127.0.0.1:1"}},
	} {
		// The sets of both chains have the same form; that of beta's validators differs.
		fails(t, tc.code, []string{tc.want}, append(append([]string{"fault", "build"}, offline...), tc.args...)...)
	}
}

// fakeRPC answers JSON-RPC with what it is given.
func fakeRPC(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string `json:"method"`
		}
		if json.NewDecoder(r.Body).Decode(&call) != nil {
			t.Error("no JSON-RPC was asked")
		}
		answer, known := answers[call.Method]
		if !known {
			answer = `"error":{"code":-32601,"message":"method not found"}`
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,%s}`, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const rpcStatus = `"result":{"node_info":{"network":"alpha"},"sync_info":{"latest_block_height":"9","earliest_block_height":"4"}}`

func TestABlockThatCantBeReadIsWrongUsage(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	refuses := `"error":{"code":-32603,"message":"Internal error","data":"no such height"}`
	node := fakeRPC(t, map[string]string{"status": rpcStatus, "block": refuses})
	html := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(html.Close)
	empty := fakeRPC(t, map[string]string{"status": rpcStatus, "block": `"result":` + string(blockWith(t, home, 6))})
	for _, tc := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "serves chain \"alpha\", expected \"beta\"", []string{"--rpc", node, "--height", "6", "--chain-id", "beta"}},
		{exitUsage, "height 10, alpha is at 9", []string{"--rpc", node, "--height", "10"}},
		{exitUsage, "keeps 4 and later", []string{"--rpc", node, "--height", "3"}},
		{exitUsage, "no such height", []string{"--rpc", node, "--height", "6"}},
		{exitUsage, "which is not CometBFT's RPC", []string{"--rpc", html.URL, "--height", "6"}},
		{exitUsage, "speaks JSON-RPC, but not CometBFT's", []string{"--rpc", fakeRPC(t, nil), "--height", "6"}},
		{exitUsage, "speaks JSON-RPC, but not CometBFT's", []string{"--rpc", fakeRPC(t, map[string]string{"status": `"result":{}`}), "--height", "6"}},
		{exitUsage, "contradicts itself", []string{"--rpc", empty, "--height", "7"}},
		{exitUsage, "is unreachable", []string{"--rpc", "http://127.0.0.1:1", "--height", "6"}},
		{exitUsage, "write http://host:port", []string{"--rpc", "ftp://x", "--height", "6"}},
		{exitFailed, "no fault: block 6 of alpha carries no evidence", []string{"--rpc", empty, "--height", "6"}},
		{exitUsage, "--height is missing", []string{"--rpc", node}},
		{exitUsage, "--rpc is missing", []string{"--height", "6"}},
		{exitUsage, "heights start at 1", []string{"--rpc", node, "--height", "0"}},
		{exitUsage, "invalid argument", []string{"--rpc", node, "--height", "-1"}},
		{exitUsage, "give --height or FILE, not both", []string{"--rpc", node, "--height", "6", "x"}},
		{exitUsage, "give --rpc or --from-node, not both", []string{"--rpc", node, "--from-node", "x", "6"}},
		{exitUsage, `--kind is "double_vote", and --rpc has`, []string{"--rpc", node, "--height", "6", "--kind", "double_vote"}},
	} {
		fails(t, tc.code, []string{tc.want}, append([]string{"fault", "build"}, tc.args...)...)
	}
}

// TestAnEquivocationIsBuiltFromAChain goes over the RPC of a real chain, whose validator
// signed twice.
func TestAnEquivocationIsBuiltFromAChain(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ok(t, devchain.Init(dir, devchain.Genesis{ChainID: home, Validators: 2, Time: time.Now()}))
	c, err := devchain.Start(ctx, dir, devchain.Options{BlockInterval: 100 * time.Millisecond})
	ok(t, err)
	t.Cleanup(func() { ok(t, c.Stop()) })
	keys, err := devchain.ConsensusKeys(dir)
	ok(t, err)

	// A mesh whose validators have the chain's keys.
	mesh, err := ledgertest.Play(ledgertest.New(1, 2, nil))
	ok(t, err)
	set := mesh.Set(home, 1).ValidatorSet()
	for i := range set.Validators {
		set.Validators[i].ConsensusKey.Bytes = keys[i].Public().(ed25519.PublicKey)
	}
	encoded, err := attest.EncodeValidatorSet(set)
	ok(t, err)
	manifest, err := mesh.Manifest.Encode()
	ok(t, err)
	offline := []string{"--manifest", write(t, dir, "manifest.toml", string(manifest)), "--validators", write(t, dir, "set.ssz", string(encoded))}

	adapter, err := comet.Dial(ctx, c.RPC(), comet.Options{})
	ok(t, err)
	t.Cleanup(adapter.Close)
	found, at := errors.New("found"), uint64(0)
	f := chain.Follower{Next: 1, Poll: 10 * time.Millisecond}
	err = f.Run(ctx, adapter, func(b chain.Block) error {
		if b.Height == 3 {
			sent, err := adapter.DoubleSign(ctx, 2, keys[1])
			if err != nil {
				return err
			}
			return adapter.SubmitEvidence(ctx, sent)
		}
		if at = b.Height; len(b.Evidence) > 0 {
			return found
		}
		return nil
	})
	if err != found {
		t.Fatal(err)
	}
	args := append([]string{"fault", "build", "--rpc", c.RPC(), "--height", fmt.Sprint(at)}, offline...)
	file := decoded[proofFile](t, done(t, args...))
	if file.Kind != "consensus_equivocation" || file.Chain != home || file.Epoch != 1 || len(file.Offenders) != 1 || file.Offenders[0] != set.Validators[1].Account {
		t.Errorf("%+v", file)
	}
	out := filepath.Join(dir, "proof.json")
	done(t, append(args, "--out", out)...)
	done(t, append([]string{"fault", "verify", out}, offline...)...)
	fails(t, exitFailed, []string{"no fault: block 2 of alpha carries no evidence"}, append([]string{"fault", "build", "--rpc", c.RPC(), "--height", "2"}, offline...)...)
	fails(t, exitFailed, []string{"exists"}, append(args, "--out", out)...)

	// The same block as the RPC's answer in a file; "fault verify" judges that, too.
	response, err := http.Get(c.RPC() + "/block?height=" + fmt.Sprint(at))
	ok(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(response.Body)
	ok(t, err)
	ok(t, response.Body.Close())
	block := write(t, dir, "block.json", b.String())
	if twin := decoded[proofFile](t, done(t, append([]string{"fault", "build", block}, offline...)...)); !bytes.Equal(twin.Proof, file.Proof) {
		t.Errorf("%x from the file, %x from the RPC", []byte(twin.Proof), []byte(file.Proof))
	}
	done(t, "fault", "verify", block, "--keys", write(t, dir, "keys.txt", fmt.Sprintf("%x\n", keys[1].Public())))
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}
