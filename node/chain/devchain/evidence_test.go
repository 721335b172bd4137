package devchain_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/devchain"
)

// A validator that signs two blocks of one height, with its real key, is in
// the evidence of one of the next blocks, in the very bytes that were sent.
func TestCommitsEvidenceOfADoubleVote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	initialise(t, dir, 4)
	adapter := dial(t, start(t, dir, ""))
	keys, err := devchain.ConsensusKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := chain.Follower{Next: 1}
	follow(t, &f, adapter, upTo(3))

	const height = 2
	sent, err := adapter.DoubleSign(bounded(t), height, keys[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adapter.DoubleSign(bounded(t), height, ed25519.NewKeyFromSeed(make([]byte, 32))); err == nil {
		t.Error("a stranger double-signed")
	}
	if err := adapter.SubmitEvidence(bounded(t), sent); err != nil {
		t.Fatal(err)
	}
	var got chain.Evidence
	follow(t, &f, adapter, func(b chain.Block) bool {
		if len(b.Evidence) > 0 {
			got = b.Evidence[0]
		}
		return len(b.Evidence) > 0
	})
	if got.Height != height || !bytes.Equal(got.Raw, sent) {
		t.Errorf("evidence at %d: %x, sent %x", got.Height, got.Raw, sent)
	}
}

// Validators that sign a block which the chain does not have, with their real keys, are
// in the evidence of one of the next blocks, with that block.
func TestCommitsEvidenceOfAnAttack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	initialise(t, dir, 4)
	adapter := dial(t, start(t, dir, ""))
	keys, err := devchain.ConsensusKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := chain.Follower{Next: 1}
	follow(t, &f, adapter, upTo(4))

	const height = 3
	if _, err := adapter.Attack(bounded(t), height, keys[:2]...); err == nil {
		t.Error("two of four forged a block")
	}
	sent, err := adapter.Attack(bounded(t), height, keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	if err := adapter.SubmitEvidence(bounded(t), sent); err != nil {
		t.Fatal(err)
	}
	var got chain.Evidence
	follow(t, &f, adapter, func(b chain.Block) bool {
		if len(b.Evidence) > 0 {
			got = b.Evidence[0]
		}
		return len(b.Evidence) > 0
	})
	own, err := adapter.SignedHeader(bounded(t), height)
	if err != nil {
		t.Fatal(err)
	}
	if got.Height != height-1 || !bytes.Equal(got.Raw, sent) || got.DoubleVote != nil || got.Attack == nil {
		t.Fatalf("evidence at %d: %x, sent %x", got.Height, got.Raw, sent)
	}
	if h := got.Attack.Header; h.Height != height || !h.Contradicts(own.Header) || !bytes.Equal(h.LastBlock.Hash, own.Header.LastBlock.Hash) {
		t.Errorf("the chain has %+v, the evidence %+v", own.Header, h)
	}
}
