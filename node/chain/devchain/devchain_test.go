package devchain_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
)

const interval = 100 * time.Millisecond

// deadline bounds what a test waits for; it is far above what is needed, also
// on a busy machine under the race detector.
const deadline = 60 * time.Second

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func initialise(t *testing.T, dir string, validators int) {
	t.Helper()
	if err := devchain.Init(dir, devchain.Genesis{ChainID: "dev-1", Validators: validators, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, dir, address string) *devchain.Chain {
	t.Helper()
	c, err := devchain.Start(bounded(t), dir, devchain.Options{BlockInterval: interval, RPCAddress: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *devchain.Chain) {
	t.Helper()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, c *devchain.Chain) *comet.Chain {
	t.Helper()
	adapter, err := comet.Dial(bounded(t), c.RPC(), comet.Options{ExpectChainID: c.ID()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(adapter.Close)
	return adapter
}

var errEnough = errors.New("enough")

// follow reads blocks from f.Next on until enough says so, and checks that
// heights and times grow.
func follow(t *testing.T, f *chain.Follower, c chain.Chain, enough func(chain.Block) bool) (blocks []chain.Block) {
	t.Helper()
	f.Poll = 10 * time.Millisecond
	err := f.Run(bounded(t), c, func(b chain.Block) error {
		if n := len(blocks); n > 0 && (b.Height != blocks[n-1].Height+1 || b.Time < blocks[n-1].Time) {
			t.Errorf("block %d at %d follows %d at %d", b.Height, b.Time, blocks[n-1].Height, blocks[n-1].Time)
		}
		blocks = append(blocks, b)
		if enough(b) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("followed %d blocks, then: %v", len(blocks), err)
	}
	last := blocks[len(blocks)-1]
	f.Next, f.Parent = last.Height+1, last.Hash
	return blocks
}

func upTo(height uint64) func(chain.Block) bool {
	return func(b chain.Block) bool { return b.Height >= height }
}

func TestOrdersOperations(t *testing.T) {
	for _, validators := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d validators", validators), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			initialise(t, dir, validators)
			c := start(t, dir, "")
			adapter := dial(t, c)

			rng := rand.NewChaCha8([32]byte{byte(validators)})
			want := map[string]bool{}
			for _, size := range []int{1, 100, 1000, 10_000, chain.MaxOperation, 2, 3, 5} {
				operation := make([]byte, size)
				rng.Read(operation)
				want[string(operation)] = true
				for range 2 { // what is already known is a success
					if err := adapter.Submit(bounded(t), operation); err != nil {
						t.Fatal(err)
					}
				}
			}
			f := chain.Follower{Next: 1}
			blocks := follow(t, &f, adapter, func(b chain.Block) bool {
				for _, operation := range b.Operations {
					if !want[string(operation)] {
						t.Errorf("block %d holds an operation of %d bytes that is not expected", b.Height, len(operation))
					}
					delete(want, string(operation))
				}
				return len(want) == 0
			})
			if blocks[0].Height != 1 || blocks[0].Parent != ([32]byte{}) {
				t.Errorf("the first block is %d with parent %x", blocks[0].Height, blocks[0].Parent)
			}
			checkValidators(t, dir, adapter, f.Next-1)
			// A block can be read a moment before its results; they are there when the
			// next one is.
			last := f.Next - 1
			follow(t, &f, adapter, upTo(f.Next))
			checkResults(t, c, last)
		})
	}
}

func checkValidators(t *testing.T, dir string, adapter *comet.Chain, height uint64) {
	t.Helper()
	keys, err := devchain.ConsensusKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := adapter.Validators(bounded(t), height)
	if err != nil || len(set) != len(keys) {
		t.Fatalf("%d validators for %d keys, %v", len(set), len(keys), err)
	}
	for _, key := range keys {
		found := false
		for _, v := range set {
			found = found || bytes.Equal(v.ConsensusKey, key.Public().(ed25519.PublicKey)) && v.KeyType == chain.KeyEd25519 && v.Power == 1
		}
		if !found {
			t.Errorf("no validator has the key %x", key.Public())
		}
	}
}

// checkResults asks for what a stock tool asks for, on a block that may be empty.
func checkResults(t *testing.T, c *devchain.Chain, height uint64) {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("%s/block_results?height=%d", c.RPC(), height))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("block_results: %s", response.Status)
	}
}

func TestStoppedAndStartedAgainItContinues(t *testing.T) {
	for _, validators := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d validators", validators), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			initialise(t, dir, validators)
			c := start(t, dir, "")
			adapter := dial(t, c)
			operation := []byte("before")
			if err := adapter.Submit(bounded(t), operation); err != nil {
				t.Fatal(err)
			}
			var f chain.Follower
			f.Next = 1
			before := follow(t, &f, adapter, func(b chain.Block) bool { return len(b.Operations) > 0 })

			stop(t, c)
			if _, err := adapter.Status(bounded(t)); !errors.Is(err, chain.ErrUnreachable) {
				t.Errorf("the stopped chain answers with %v", err)
			}
			// The application's state is worth nothing: without it, or with a
			// damaged one, the blocks are replayed.
			state := filepath.Join(dir, "validator-00", "data", "application.state")
			if err := os.WriteFile(state, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
			again := start(t, dir, c.RPC()[len("http://"):])

			// The follower goes on with the adapter that it had.
			follow(t, &f, adapter, upTo(f.Next+3))
			fresh := chain.Follower{Next: 1}
			for i, b := range follow(t, &fresh, dial(t, again), upTo(before[len(before)-1].Height)) {
				if b.Hash != before[i].Hash || len(b.Operations) != len(before[i].Operations) {
					t.Errorf("block %d is %x, it was %x", b.Height, b.Hash, before[i].Hash)
				}
			}
		})
	}
}

func TestRefusesWhatIsNoOperation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	initialise(t, dir, 1)
	c := start(t, dir, "")
	other, err := comet.Dial(bounded(t), c.RPC(), comet.Options{Encoding: chain.KeyValue})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	// The devchain takes one transaction for an operation, the raw one.
	if err := other.Submit(bounded(t), []byte("operation")); !errors.Is(err, chain.ErrRejected) {
		t.Errorf("another encoding: %v", err)
	}
	if err := other.Submit(bounded(t), make([]byte, chain.MaxOperation+1)); !errors.Is(err, chain.ErrTooLarge) {
		t.Errorf("one byte too many: %v", err)
	}
}

func TestTakenPortsAndDirectoriesAreNamed(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	initialise(t, dir, 1)
	initialise(t, other, 1)
	c := start(t, dir, "")

	_, err := devchain.Start(bounded(t), other, devchain.Options{RPCAddress: c.RPC()[len("http://"):]})
	if !errors.Is(err, syscall.EADDRINUSE) || err.Error() != "RPC address "+c.RPC()[len("http://"):]+": address already in use" {
		t.Errorf("on a taken port: %v", err)
	}
	if _, err = devchain.Start(bounded(t), dir, devchain.Options{}); !errors.Is(err, devchain.ErrInUse) {
		t.Errorf("on a running chain: %v", err)
	}
	if _, err = devchain.Start(bounded(t), t.TempDir(), devchain.Options{}); !errors.Is(err, devchain.ErrNoChain) {
		t.Errorf("in an empty directory: %v", err)
	}
	follow(t, &chain.Follower{Next: 1}, dial(t, c), upTo(2)) // unharmed
}

// A chain whose disk is full must not pretend to run: CometBFT would.
func TestAValidatorThatCantWriteEndsTheWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	initialise(t, dir, 1)
	c := start(t, dir, "")
	data := filepath.Join(dir, "validator-00", "data")
	if err := os.Rename(data, data+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(bounded(t)); err == nil || !strings.Contains(err.Error(), "validator 0") {
		t.Fatalf("while nothing can be written: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := os.RemoveAll(data); err != nil { // what the last breath made
		t.Fatal(err)
	}
	if err := os.Rename(data+".gone", data); err != nil {
		t.Fatal(err)
	}
	c = start(t, dir, "")
	blocks := follow(t, &chain.Follower{Next: 1}, dial(t, c), upTo(3)) // nothing was lost
	if len(blocks) < 3 {
		t.Errorf("%d blocks", len(blocks))
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ended); err != nil {
		t.Errorf("when it is told to: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(t.Context()); err != nil {
		t.Errorf("after a stop: %v", err)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := devchain.Init(dir, devchain.Genesis{ChainID: "dev-1", Validators: 1, Time: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := devchain.Start(ctx, dir, devchain.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a chain whose genesis lies ahead: %v", err)
	}
}
