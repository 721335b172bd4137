package testnet

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/meshsec/meshsec/node/api"
)

// askTimeout bounds one question to one node.
const askTimeout = 5 * time.Second

// observer asks the nodes of a testnet, and remembers what can't change. It is
// owned by one goroutine.
type observer struct {
	t       *Testnet
	clients map[string]*api.Client // by name of the node

	mu          sync.Mutex
	checkpoints map[certified]api.Checkpoint

	trusted map[string]uint64 // by chain: its epoch when it was last told to trust peers anew
}

// certified names a checkpoint as one node has it.
type certified struct {
	node, chain string
	epoch       uint64
}

func newObserver(t *Testnet) *observer {
	o := &observer{t: t, clients: map[string]*api.Client{}, checkpoints: map[certified]api.Checkpoint{}, trusted: map[string]uint64{}}
	shared := &http.Client{Timeout: askTimeout}
	for _, s := range t.nodes() {
		o.clients[s.Name] = api.NewClient("http://"+s.Node.API, shared)
	}
	return o
}

// view is everything that the nodes answered at one moment.
type view struct {
	t       *Testnet
	nodes   map[string]api.Status // those that answer
	ledgers map[string]api.Ledger // of each chain, as one of its nodes has it
	epochs  map[string]uint64     // for which all ready nodes hold a certificate
	certs   map[certified]api.Checkpoint
}

// look asks every node. What no node answers is missing in the view: that is no
// error.
func (o *observer) look(ctx context.Context) *view {
	v := &view{
		t: o.t, nodes: map[string]api.Status{}, ledgers: map[string]api.Ledger{},
		epochs: map[string]uint64{}, certs: map[certified]api.Checkpoint{},
	}
	var mu sync.Mutex
	o.each(func(s Service) {
		st, err := o.clients[s.Name].Status(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && st.Name == s.Name && st.Network == o.t.Network { // and not a stranger on its port
			v.nodes[s.Name] = st
		}
	})
	for _, c := range o.t.Chains {
		v.epochs[c.ID] = v.commonEpoch(c.ID)
	}
	o.each(func(s Service) {
		if !v.nodes[s.Name].Ready {
			return
		}
		for _, c := range o.t.Chains {
			cp, err := o.checkpoint(ctx, certified{s.Name, c.ID, v.epochs[c.ID]})
			if err != nil {
				continue
			}
			mu.Lock()
			v.certs[certified{s.Name, c.ID, cp.Epoch}] = cp
			mu.Unlock()
		}
	})
	var group sync.WaitGroup
	for _, c := range o.t.Chains {
		group.Go(func() {
			if l, ok := o.ledger(ctx, v, c); ok {
				mu.Lock()
				defer mu.Unlock()
				v.ledgers[c.ID] = l
			}
		})
	}
	group.Wait()
	return v
}

// each runs f for all nodes at once.
func (o *observer) each(f func(Service)) {
	var group sync.WaitGroup
	for _, s := range o.t.nodes() {
		group.Go(func() { f(s) })
	}
	group.Wait()
}

// checkpoint asks a node for a certified checkpoint, once.
func (o *observer) checkpoint(ctx context.Context, c certified) (api.Checkpoint, error) {
	o.mu.Lock()
	cp, known := o.checkpoints[c]
	o.mu.Unlock()
	if known {
		return cp, nil
	}
	cp, err := o.clients[c.node].Checkpoint(ctx, c.chain, c.epoch)
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		for old := range o.checkpoints { // only one epoch of each is ever shown
			if old.node == c.node && old.chain == c.chain {
				delete(o.checkpoints, old)
			}
		}
		o.checkpoints[c] = cp
	}
	return cp, err
}

// ledger asks for a chain's ledger: a node of that chain, or any that is ready.
func (o *observer) ledger(ctx context.Context, v *view, c *Chain) (api.Ledger, bool) {
	for _, own := range []bool{true, false} {
		for _, s := range o.t.nodes() {
			if !v.nodes[s.Name].Ready || (s.Chain == c) != own {
				continue
			}
			if l, err := o.clients[s.Name].Ledger(ctx, c.ID); err == nil {
				return l, true
			}
		}
	}
	return api.Ledger{}, false
}

// commonEpoch is the newest for which all ready nodes hold a certificate.
func (v *view) commonEpoch(chain string) (epoch uint64) {
	first := true
	for _, st := range v.nodes {
		if e := st.Ledgers[chain].Epoch; st.Ready && (first || e < epoch) {
			epoch, first = e, false
		}
	}
	return epoch
}

// agreement counts the ready nodes, and those that have the same certificate and
// the same ledger root as the first of them.
func (v *view) agreement(chain string) (same, ready int) {
	var first *api.Checkpoint
	for _, s := range v.t.nodes() {
		if !v.nodes[s.Name].Ready {
			continue
		}
		ready++
		cp, ok := v.certs[certified{s.Name, chain, v.epochs[chain]}]
		if !ok {
			continue
		}
		if first == nil {
			first = &cp
		}
		if bytes.Equal(cp.Certificate, first.Certificate) && bytes.Equal(cp.LedgerRoot, first.LedgerRoot) {
			same++
		}
	}
	return same, ready
}

// agreed says that all nodes are ready and hold the same certificate and ledger
// root for all chains.
func (v *view) agreed() bool {
	for _, c := range v.t.Chains {
		if same, _ := v.agreement(c.ID); same < len(v.t.nodes()) {
			return false
		}
	}
	return true
}

// Status is the view for scripts.
func (v *view) Status() Status {
	st := Status{Chains: []ChainStatus{}, Nodes: []NodeStatus{}, Liens: []LienStatus{}}
	for _, c := range v.t.Chains {
		st.Chains = append(st.Chains, v.chainStatus(c))
		for _, l := range v.ledgers[c.ID].Liens {
			st.Liens = append(st.Liens, LienStatus{
				Ledger: c.ID, Account: l.Account, AccountName: v.t.nameOf(c.ID, l.Account),
				Consumer: l.Consumer, Validator: l.Validator, ValidatorName: v.t.nameOf(l.Consumer, l.Validator),
				Amount: l.Amount, Frozen: l.Frozen, Slashed: l.Slashed,
			})
		}
	}
	for _, s := range v.t.nodes() {
		st.Nodes = append(st.Nodes, v.nodeStatus(s))
	}
	return st
}

func (v *view) chainStatus(c *Chain) ChainStatus {
	out := ChainStatus{ID: c.ID, Epoch: v.epochs[c.ID]}
	for _, s := range v.t.nodes() {
		if cp, ok := v.certs[certified{s.Name, c.ID, out.Epoch}]; ok {
			out.Certificate, out.LedgerRoot = cp.Certificate, cp.LedgerRoot
			out.SignedPower, out.TotalPower = cp.SignedPower, cp.TotalPower
			break
		}
	}
	first := true
	for chain, l := range v.ledgers {
		for _, p := range l.Peers {
			if chain == c.ID || p.Chain != c.ID {
				continue
			}
			if first || p.Final < out.FinalEpoch {
				out.FinalEpoch, first = p.Final, false
			}
			if p.Halted != "" {
				out.halt(chain, p.Halted)
			}
		}
	}
	return out
}

func (v *view) nodeStatus(s Service) NodeStatus {
	st := v.nodes[s.Name]
	out := NodeStatus{Name: s.Name, Chain: s.Chain.ID, Ready: st.Ready, Ledgers: map[string]LedgerAt{}}
	for chain, l := range st.Ledgers {
		at := LedgerAt{l.Epoch, l.LedgerRoot, l.Certificate}
		if cp, ok := v.certs[certified{s.Name, chain, v.epochs[chain]}]; ok && st.Ready {
			at = LedgerAt{cp.Epoch, cp.LedgerRoot, cp.Certificate}
		}
		out.Ledgers[chain] = at
	}
	return out
}
