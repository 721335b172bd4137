package testnet

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// fakeNode answers what was written down.
type fakeNode struct {
	mu          sync.Mutex
	status      api.Status
	ledgers     map[string]api.Ledger
	checkpoints map[string][]api.Checkpoint // by chain and epoch
	faults      []api.Fault
	submitted   [][]byte
	onSubmit    func(f *fakeNode, operation []byte) // under mu

	certificates map[string]api.Certificate // the newest, by chain
}

func (f *fakeNode) Status() api.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeNode) Ledger(_ context.Context, chain string) (api.Ledger, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.ledgers[chain]
	if !ok {
		return l, api.ErrNotFound
	}
	return l, nil
}

func (f *fakeNode) Checkpoint(_ context.Context, chain string, epoch uint64) (api.Checkpoint, error) {
	if list := f.checkpoints[chain]; epoch < uint64(len(list)) {
		return list[epoch], nil
	}
	return api.Checkpoint{}, api.ErrNotFound
}

func (f *fakeNode) Record(context.Context, string, string, uint64) (api.Record, error) {
	return api.Record{}, api.ErrNotFound
}

func (f *fakeNode) Certificates(context.Context, string, uint64, int) (api.Trail, error) {
	return api.Trail{}, api.ErrNotFound
}

func (f *fakeNode) Certificate(_ context.Context, chain string, epoch uint64) (api.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.certificates[chain]
	if !ok {
		return c, api.ErrNotFound
	}
	return c, nil
}

func (f *fakeNode) Faults(_ context.Context, from uint64, limit int) ([]api.Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from = min(from, uint64(len(f.faults)))
	return f.faults[from:min(int(from)+limit, len(f.faults))], nil
}

func (f *fakeNode) Fault(_ context.Context, id [32]byte) (api.Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.faults, func(x api.Fault) bool { return [32]byte(x.ID) == id })
	if i < 0 {
		return api.Fault{}, api.ErrNotFound
	}
	return f.faults[i], nil
}

func (f *fakeNode) Conviction(context.Context, string, [32]byte) (ledger.ConvictionView, error) {
	return ledger.ConvictionView{}, api.ErrNotFound
}

func (f *fakeNode) Report(context.Context, *attest.FaultProof, ledger.AccountID) (api.Report, error) {
	return api.Report{}, api.ErrUnavailable
}

func (f *fakeNode) Submit(_ context.Context, operation []byte) ([32]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submitted = append(f.submitted, operation)
	if f.onSubmit != nil {
		f.onSubmit(f, operation)
	}
	return ledger.OperationID(operation), nil
}

func (f *fakeNode) Receipt(context.Context, [32]byte) (api.Receipt, error) {
	return api.Receipt{}, api.ErrNotFound
}

// nodeAccount is a recognisable account.
func nodeAccount(chain, validator int) (id ledger.AccountID) {
	id[0], id[31] = byte(chain+1), byte(validator+1)
	return id
}

// stage is a testnet of fake nodes: two chains with two validators.
func stage(t *testing.T) (*Testnet, map[string]*fakeNode) {
	t.Helper()
	n := &Testnet{Mode: Processes, Network: strings.Repeat("ab", 32), home: t.TempDir()}
	nodes := map[string]*fakeNode{}
	for i := range 2 {
		c := &Chain{ID: chainNames[i]}
		for j := range 2 {
			name := nodeName(c.ID, j)
			nodes[name] = fakeAt(n, name, c.ID)
			server := httptest.NewServer(api.Handler(nodes[name], http.NotFoundHandler(), slog.New(slog.DiscardHandler)))
			t.Cleanup(server.Close)
			c.Nodes = append(c.Nodes, &Node{Name: name, Account: nodeAccount(i, j), API: server.Listener.Addr().String()})
		}
		n.Chains = append(n.Chains, c)
	}
	return n, nodes
}

// fakeAt is a node that is ready at epoch 5 of both chains.
func fakeAt(n *Testnet, name, home string) *fakeNode {
	f := &fakeNode{
		status: api.Status{Name: name, Chain: home, Network: n.Network, Ready: true,
			Home: api.Home{Height: 27}, Ledgers: map[string]api.LedgerSummary{}},
		ledgers: map[string]api.Ledger{}, checkpoints: map[string][]api.Checkpoint{},
	}
	for i, chain := range chainNames[:2] {
		other := chainNames[1-i]
		for e := range uint64(7) {
			f.checkpoints[chain] = append(f.checkpoints[chain], api.Checkpoint{
				Chain: chain, Epoch: e, Certificate: digest(0xc0+byte(i), byte(e)), LedgerRoot: digest(0x10+byte(i), byte(e)),
				SignedPower: ledger.Units(1_700_000), TotalPower: ledger.Units(1_740_000),
			})
		}
		f.at(chain, 5, 6)
		f.ledgers[chain] = api.Ledger{
			Chain: chain, Epoch: 6,
			Peers: []ledger.PeerView{{Chain: other, Accepted: 5, Confirmed: 4, Final: 3, Imported: 2, Virtual: ledger.Units(540_000)}},
			Liens: []ledger.LienView{
				{Account: nodeAccount(i, 0), Consumer: chain, Validator: nodeAccount(i, 0), Amount: ledger.Units(600_000)},
				{Account: nodeAccount(i, 1), Consumer: other, Validator: nodeAccount(1-i, 1), Amount: ledger.Units(300_000), Frozen: ledger.Units(90_000)},
			},
			Power:  []ledger.PowerView{{Account: nodeAccount(i, 0), Own: ledger.Units(1_200_000), Power: ledger.Units(1_740_000)}},
			Totals: ledger.Totals{Deposited: ledger.Units(10), Collateral: ledger.Units(7), Escrow: ledger.Units(1), Withdrawn: ledger.Units(1), Burned: ledger.Units(1)},
		}
	}
	return f
}

// at sets a chain's newest certified and executed epochs.
func (f *fakeNode) at(chain string, certified, executed uint64) {
	cp := f.checkpoints[chain][certified]
	f.status.Ledgers[chain] = api.LedgerSummary{Epoch: certified, Executed: executed, LedgerRoot: cp.LedgerRoot, Certificate: cp.Certificate}
}

func digest(kind, n byte) ledger.HexBytes {
	b := make([]byte, 32)
	b[0], b[1] = kind, n
	return b
}
