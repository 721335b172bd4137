package comet_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
)

func TestFollowsAStockChain(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.start(t)
	c := dial(t, s.url(), comet.Options{ExpectChainID: "stock-1", Encoding: chain.KeyValue})

	// Operations and the transactions of others, mixed.
	rng := rand.NewChaCha8([32]byte{1})
	var want [][]byte
	for i, size := range []int{1, 40, 500 << 10, 300, 4000, 77} {
		operation := make([]byte, size)
		rng.Read(operation)
		want = append(want, operation)
		foreign(t, s, fmt.Sprintf("name%d=satoshi%d", i, i))
		if err := c.Submit(bounded(t), operation); err != nil {
			t.Fatal(err)
		}
		foreign(t, s, fmt.Sprintf("%s%016x=AAAA", "meshsec-", i)) // looks like ours
	}
	if err := c.Submit(bounded(t), want[2]); err != nil {
		t.Errorf("a second time: %v", err)
	}

	var got [][]byte
	shared := false
	f := chain.Follower{Next: 1}
	blocks := follow(t, &f, c, func(b chain.Block) bool {
		got = append(got, b.Operations...)
		txs := len(s.node.BlockStore().LoadBlock(int64(b.Height)).Txs)
		shared = shared || len(b.Operations) > 0 && txs > len(b.Operations)
		return len(got) >= len(want)
	})
	if !shared {
		t.Error("no block held both an operation and a foreign transaction")
	}
	if len(got) != len(want) {
		t.Fatalf("%d operations, expected %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("operation %d is another one", i)
		}
	}
	for _, b := range blocks {
		stored := s.node.BlockStore().LoadBlockMeta(int64(b.Height))
		if !bytes.Equal(b.Hash[:], stored.BlockID.Hash) || b.Time != uint64(stored.Header.Time.UnixNano())/1e6 {
			t.Errorf("block %d: %x at %d, the node has %v at %v", b.Height, b.Hash, b.Time, stored.BlockID.Hash, stored.Header.Time)
		}
	}
}

// foreign puts somebody else's transaction into the mempool.
func foreign(t *testing.T, s *stock, tx string) {
	t.Helper()
	if err := s.node.Mempool().CheckTx(types.Tx(tx), nil, mempoolInfo); err != nil {
		t.Fatal(err)
	}
}

func TestHeightsOutOfReach(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.app.RetainBlocks = 2
	s.start(t)
	c := dial(t, s.url(), comet.Options{})
	status := must[chain.Status](t)(c.Status(bounded(t)))
	f := chain.Follower{Next: max(status.Height, 1)}
	follow(t, &f, c, func(b chain.Block) bool {
		status = must[chain.Status](t)(c.Status(bounded(t)))
		return status.Earliest > 3
	})

	for height, want := range map[uint64]error{status.Height + 1000: chain.ErrNotYet, 1: chain.ErrPruned, 0: chain.ErrPruned} {
		if _, err := c.Block(bounded(t), height); !errors.Is(err, want) {
			t.Errorf("block %d of %d to %d: %v", height, status.Earliest, status.Height, err)
		}
		if _, err := c.Validators(bounded(t), height); !errors.Is(err, want) {
			t.Errorf("validators at %d: %v", height, err)
		}
		if _, err := c.SignedHeader(bounded(t), height); !errors.Is(err, want) {
			t.Errorf("signed header at %d: %v", height, err)
		}
	}
}

func TestWrongChain(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.start(t)
	if _, err := comet.Dial(bounded(t), s.url(), comet.Options{ExpectChainID: "stock-2"}); !errors.Is(err, chain.ErrWrongChain) {
		t.Errorf("dialled with %v", err)
	}
	if c := dial(t, s.url(), comet.Options{}); c.ID() != "stock-1" {
		t.Errorf("learned the chain id %q", c.ID())
	}
}

func TestNodeDownAndUpAgain(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.start(t)
	c := dial(t, s.url(), comet.Options{Encoding: chain.KeyValue})
	f := chain.Follower{Next: 1}
	before := follow(t, &f, c, upTo(3))

	s.stop(t)
	// The stopped node keeps the connection; it fails, and the next call finds
	// nobody at the address.
	_, err := c.Status(bounded(t))
	for errors.Is(err, chain.ErrFailed) {
		_, err = c.Status(bounded(t))
	}
	if !errors.Is(err, chain.ErrUnreachable) {
		t.Errorf("status of a stopped node: %v", err)
	}
	if err := c.Submit(bounded(t), []byte("too early")); !errors.Is(err, chain.ErrUnreachable) {
		t.Errorf("submitted to a stopped node: %v", err)
	}
	if _, err := comet.Dial(bounded(t), s.url(), comet.Options{}); !errors.Is(err, chain.ErrUnreachable) {
		t.Errorf("dialled a stopped node: %v", err)
	}

	s.start(t)
	if err := c.Submit(bounded(t), []byte("operation")); err != nil {
		t.Error(err)
	}
	follow(t, &f, c, func(b chain.Block) bool { return len(b.Operations) > 0 })
	for _, b := range before {
		if again := must[chain.Block](t)(c.Block(bounded(t), b.Height)); again.Hash != b.Hash {
			t.Errorf("block %d is %x, it was %x", b.Height, again.Hash, b.Hash)
		}
	}
}

func TestValidatorsComeCompletely(t *testing.T) {
	t.Parallel()
	const absent = 230 // three pages
	s := newStock(t, absent)
	s.start(t)
	c := dial(t, s.url(), comet.Options{})
	follow(t, &chain.Follower{Next: 1}, c, upTo(1))
	got := must[[]chain.Validator](t)(c.Validators(bounded(t), 1))
	want := map[string]types.GenesisValidator{}
	for _, v := range s.genesis.Validators {
		want[string(v.Address)] = v
	}
	if len(got) != len(want) {
		t.Fatalf("%d validators, expected %d", len(got), len(want))
	}
	for _, v := range got {
		w, ok := want[string(v.Address[:])]
		if !ok || !bytes.Equal(v.ConsensusKey, w.PubKey.Bytes()) || v.KeyType != w.PubKey.Type() || v.Power != uint64(w.Power) {
			t.Errorf("%+v, the genesis has %+v", v, w)
		}
		delete(want, string(v.Address[:]))
	}
}

func TestSubmitNamesItsReasons(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.config.Mempool.Size = 2
	s.config.Mempool.MaxTxBytes = 5000
	s.config.Consensus.TimeoutCommit = time.Hour // no block empties the mempool
	s.start(t)
	c := dial(t, s.url(), comet.Options{Encoding: chain.KeyValue})
	if _, err := c.Block(bounded(t), 1); !errors.Is(err, chain.ErrNotYet) {
		t.Errorf("the first block before there is one: %v", err)
	}
	submit := func(operation string) error { return c.Submit(bounded(t), []byte(operation)) }

	// kvstore refuses what is not key=value.
	raw := dial(t, s.url(), comet.Options{Encoding: chain.Raw})
	if err := raw.Submit(bounded(t), []byte("a=b=c")); !errors.Is(err, chain.ErrRejected) {
		t.Errorf("a transaction that the application refuses: %v", err)
	}
	if err := submit(string(make([]byte, 6000))); !errors.Is(err, chain.ErrTooLarge) {
		t.Errorf("above the chain's limit: %v", err)
	}
	if err := submit(string(make([]byte, chain.MaxOperation+1))); !errors.Is(err, chain.ErrTooLarge) {
		t.Errorf("above our limit: %v", err)
	}
	if err := submit(""); !errors.Is(err, chain.ErrRejected) {
		t.Errorf("an empty operation: %v", err)
	}
	if err := submit("first"); err != nil {
		t.Error(err)
	}
	if err := submit("first"); err != nil {
		t.Errorf("the first again: %v", err)
	}
	if err := submit("second"); err != nil {
		t.Error(err)
	}
	if err := submit("third"); !errors.Is(err, chain.ErrBusy) {
		t.Errorf("into a full mempool: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Submit(ctx, []byte("fourth")); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.start(t)
	u := must[*url.URL](t)(url.Parse(s.url()))
	for _, address := range []string{u.Host, "tcp://" + u.Host, "http://" + u.Host, "http://" + u.Host + "/"} {
		dial(t, address, comet.Options{})
	}
	for _, address := range []string{"", "ftp://" + u.Host, "http://", "://x", "unix:///tmp/x"} {
		if _, err := comet.Dial(bounded(t), address, comet.Options{}); err == nil {
			t.Errorf("%q is dialled", address)
		}
	}
}

func TestOtherServersAreNotCometBFT(t *testing.T) {
	t.Parallel()
	address := serve(t, http.NotFoundHandler())
	if _, err := comet.Dial(bounded(t), address, comet.Options{}); !errors.Is(err, chain.ErrUnreachable) {
		t.Errorf("a web server is dialled: %v", err)
	}
}

// A real node behind a proxy that changes its answers.
func TestTamperedAnswersAreRefused(t *testing.T) {
	t.Parallel()
	s := newStock(t, 0)
	s.start(t)
	lie := &liar{node: "http://" + must[*url.URL](t)(url.Parse(s.url())).Host}
	c := dial(t, serve(t, lie), comet.Options{Encoding: chain.KeyValue})
	if err := c.Submit(bounded(t), []byte("operation")); err != nil {
		t.Fatal(err)
	}
	f := chain.Follower{Next: 1}
	follow(t, &f, c, func(b chain.Block) bool { return len(b.Operations) > 0 })
	height := f.Next - 1
	meta := s.node.BlockStore().LoadBlockMeta(int64(height))
	tx := base64.StdEncoding.EncodeToString(s.node.BlockStore().LoadBlock(int64(height)).Txs[0])
	other := base64.StdEncoding.EncodeToString([]byte("name=satoshi"))

	for name, l := range map[string]struct{ old, new string }{
		"a transaction replaced": {tx, other},
		"a transaction left out": {`"` + tx + `"`, ``},
		"another hash":           {meta.BlockID.Hash.String(), meta.Header.LastCommitHash.String()},
		"another time":           {meta.Header.Time.Format("2006"), "2099"},
		"another app hash":       {meta.Header.AppHash.String(), "00"},
		"another height":         {fmt.Sprintf(`"height":"%d"`, height), `"height":"777"`},
		"no block":               {`"block":`, `"blob":`},
		"no json":                {`"txs":[`, `"txs":[[`},
	} {
		lie.set(l.old, l.new)
		if b, err := c.Block(bounded(t), height); !errors.Is(err, chain.ErrInconsistent) && !errors.Is(err, chain.ErrUnreachable) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
	lie.set("stock-1", "stock-2")
	if _, err := c.Status(bounded(t)); !errors.Is(err, chain.ErrWrongChain) {
		t.Errorf("another chain's status: %v", err)
	}
	lie.set(`"voting_power":"10000"`, `"voting_power":"10001"`)
	if _, err := c.Validators(bounded(t), height); !errors.Is(err, chain.ErrInconsistent) {
		t.Errorf("another validator power: %v", err)
	}
	lie.set(`"total":"1"`, `"total":"2"`)
	if _, err := c.Validators(bounded(t), height); err == nil {
		t.Error("a page is missing, and nobody notices")
	}
	lie.set("", "")
	if _, err := c.Block(bounded(t), height); err != nil {
		t.Errorf("the truth: %v", err)
	}
}
