package ledger

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// crowd is a machine with many accounts that pledge, by number.
type crowd struct {
	tb testing.TB
	*machine
	chains []string
}

// newCrowd is a ledger of alpha with validator 1 on each of so many chains.
func newCrowd(tb testing.TB, state State, chains int) *crowd {
	spec := &ChainSpec{ID: "alpha", Params: DefaultParams(), EpochBlocks: 5}
	c := &crowd{tb, &machine{spec: spec, state: state, epoch: 1, now: 1}, nil}
	for i := range chains {
		c.chains = append(c.chains, []string{"alpha", "beta", "gamma", "delta", "epsilon"}[i])
	}
	c.machine.chains = c.chains
	c.step(func() error {
		if err := save(c.tx, paramsKey, &spec.Params); err != nil {
			return err
		}
		if err := save(c.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		for _, other := range c.chains[1:] {
			if err := save(c.tx, peerKey(other), new(Peer)); err != nil {
				return err
			}
			if err := save(c.tx, peerSetKey(other), &PeerSet{Members: []Member{{id(1)}}}); err != nil {
				return err
			}
		}
		return c.bind(id(1), &attest.Registration{ConsensusKey: attest.ConsensusKey{Type: 1, Bytes: make([]byte, 32)}})
	})
	return c
}

func number(i int) (id AccountID) {
	binary.BigEndian.PutUint64(id[:], uint64(i))
	id[31] = 1
	return id
}

func (c *crowd) step(f func() error) {
	if err := c.machine.step(f); err != nil {
		c.tb.Fatal(err)
	}
}

func (c *crowd) deposit(i int) {
	c.step(func() error { return c.machine.deposit(&Deposit{number(i), Units(1 << 60)}) })
}

// order is a pledge without the envelope: no signature and no nonce.
func (c *crowd) order(i int, body []byte) {
	c.step(func() error {
		p := new(Pledge)
		if err := p.UnmarshalSSZ(body); err != nil {
			return err
		}
		v, err := loadVault(c.tx, number(i))
		if err != nil {
			return err
		}
		v.account.Nonce++
		return c.owned(v, func() error { return c.machine.pledge(v, p) })
	})
}

func (c *crowd) body(chain string) []byte {
	b, err := (&Pledge{Consumer: []byte(chain), Validator: id(1), Amount: Units(1000), Ratio: One / 20}).MarshalSSZ()
	if err != nil {
		c.tb.Fatal(err)
	}
	return b
}

// BenchmarkTransition is what the ledger's rules cost: a pledge without envelope,
// signature and root, over a map, by accounts that have so many liens already, each
// changed in two epochs.
func BenchmarkTransition(b *testing.B) {
	for _, liens := range []int{1, 2, 3, 5} {
		b.Run(fmt.Sprintf("liens=%d", liens), func(b *testing.B) {
			const accounts = 10_000
			c := newCrowd(b, mapState{}, liens)
			bodies := make([][]byte, liens)
			for i, chain := range c.chains {
				bodies[i] = c.body(chain)
			}
			for i := range accounts {
				c.deposit(i)
			}
			for range 2 {
				for i := range accounts {
					for _, body := range bodies {
						c.order(i, body)
					}
				}
				c.epoch++
				c.now += 1000
			}
			n := 0
			for b.Loop() {
				c.order(n%accounts, bodies[n/accounts%liens])
				n++
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pledges/s")
		})
	}
}

// BenchmarkSlash executes the slash of one validator with 100,000 liens, all epochs of
// it, without the wait for its window.
func BenchmarkSlash(b *testing.B) {
	const liens = 100_000
	for _, kind := range []string{"map", "tree"} {
		b.Run(kind, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				var state State = mapState{}
				root := func() {}
				if kind == "tree" {
					tree := trie.New(trie.NewStore(), trie.Ref{})
					state, root = tree, func() { tree.Root() }
				}
				c := newCrowd(b, state, 1)
				body := c.body("alpha")
				for i := range liens {
					c.deposit(i)
					c.order(i, body)
				}
				root()
				c.epoch++
				c.step(func() error {
					offence := &Offence{Kind: uint8(attest.FaultDoubleVote), Epoch: 2, Power: Units(1), Total: Units(100), Reference: 2}
					if _, err := c.convict("alpha", id(1), offence); err != nil {
						return err
					}
					return c.queueGrown("alpha", [32]byte{})
				})
				c.now += uint64(c.spec.Params.ChallengeWindow.Time)
				c.epoch += c.spec.Params.ChallengeWindow.Epochs
				runtime.GC() // what the crowd left behind is not the slash's to clear away
				b.StartTimer()
				for {
					var spent Spent // of one epoch
					for more := true; more; {
						err := c.machine.step(func() (err error) {
							more, err = c.executeSlashes(&spent)
							return err
						})
						if err != nil {
							b.Fatal(err)
						}
						root()
					}
					c.epoch++
					if n, err := counter(c.state, frozenKey("alpha", id(1))); err != nil || n == 0 {
						break
					}
				}
				b.StopTimer()
				if n, err := slashList.length(c.state); err != nil || n != liens {
					b.Fatalf("%d slashes, %v", n, err)
				}
			}
			b.ReportMetric(float64(liens*b.N)/b.Elapsed().Seconds(), "liens/s")
		})
	}
}

// BenchmarkMemory is what a million liens of 250,000 accounts take. It takes two minutes:
// only with MESHSEC_BENCH_LARGE.
func BenchmarkMemory(b *testing.B) {
	if os.Getenv("MESHSEC_BENCH_LARGE") == "" {
		b.Skip("set MESHSEC_BENCH_LARGE=1")
	}
	const accounts, liens = 250_000, 4
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		before := heap()
		nodes := trie.NewStore()
		tree := trie.New(nodes, trie.Ref{})
		c := newCrowd(b, tree, liens)
		for i := range accounts {
			c.deposit(i)
			for _, chain := range c.chains {
				c.order(i, c.body(chain))
			}
			if i%10_000 == 9_999 { // as epochs would
				_, changes, err := tree.Commit(c.epoch)
				if err != nil {
					b.Fatal(err)
				}
				nodes.Apply(changes)
				nodes.Prune(c.epoch)
				c.epoch++
			}
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		runtime.KeepAlive(nodes)
		runtime.KeepAlive(tree)
	}
}
