package devchain_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
)

// childDir, when set in the environment, makes the test binary run the chain
// in that directory, so that a test can kill it.
const childDir = "MESHSEC_TEST_DEVCHAIN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
	}
	os.Exit(m.Run())
}

// runChild runs the chain, prints its address, and waits to be killed, or for
// the end of its parent.
func runChild(dir string) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := devchain.Start(context.Background(), dir, devchain.Options{BlockInterval: interval, Log: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.RPC())
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// startChild returns the address of a chain in a process of its own, and the
// function that kills the process.
func startChild(t *testing.T, dir string) (address string, kill func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	var log strings.Builder
	child.Stderr = &log
	_, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		child.Process.Kill()
		child.Wait()
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		kill()
		t.Fatalf("the child died: %s", log.String())
	}
	return strings.TrimSpace(address), kill
}

func TestKilledItContinues(t *testing.T) {
	for _, validators := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d validators", validators), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			initialise(t, dir, validators)
			var all []chain.Block
			for life := range 3 {
				address, kill := startChild(t, dir)
				defer kill()
				adapter, err := comet.Dial(bounded(t), address, comet.Options{ExpectChainID: "dev-1"})
				if err != nil {
					t.Fatal(err)
				}
				defer adapter.Close()
				if err := adapter.Submit(bounded(t), fmt.Appendf(nil, "operation of life %d", life)); err != nil {
					t.Fatal(err)
				}
				seen := 0
				blocks := follow(t, &chain.Follower{Next: 1}, adapter, func(b chain.Block) bool {
					seen += len(b.Operations)
					return seen > life
				})
				kill() // right after the commit, somewhere in the next block
				if len(blocks) < len(all) {
					t.Fatalf("life %d: %d blocks, there were %d", life, len(blocks), len(all))
				}
				for i, b := range all {
					if blocks[i].Hash != b.Hash {
						t.Errorf("life %d: block %d is %x, it was %x", life, b.Height, blocks[i].Hash, b.Hash)
					}
				}
				all = blocks
			}
			for _, b := range all {
				if len(b.Evidence) > 0 {
					t.Errorf("block %d holds evidence: a validator signed twice", b.Height)
				}
			}
		})
	}
}
