package testnet

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

func TestStatusJSON(t *testing.T) {
	n, nodes := stage(t)
	nodes["alpha-1"].at("beta", 6, 6) // ahead of the others
	nodes["beta-0"].status.Ready = false
	nodes["beta-0"].at("alpha", 2, 2)                  // far behind
	nodes["beta-1"].status.Network = "another network" // somebody else took its port
	got, err := json.MarshalIndent(newObserver(n).look(t.Context()).Status(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", string(got)+"\n")
}

func TestReadyNodesAreComparedAtOneEpoch(t *testing.T) {
	n, nodes := stage(t)
	nodes["alpha-0"].at("alpha", 3, 6)
	nodes["alpha-1"].at("alpha", 6, 6)
	v := newObserver(n).look(t.Context())
	if v.epochs["alpha"] != 3 || v.epochs["beta"] != 5 {
		t.Errorf("epochs %v", v.epochs)
	}
	if !v.agreed() {
		t.Error("the nodes agree, only not at their newest epochs")
	}
}

func TestDisagreementShows(t *testing.T) {
	n, nodes := stage(t)
	nodes["beta-1"].checkpoints["alpha"][5].LedgerRoot = digest(0xff, 5)
	v := newObserver(n).look(t.Context())
	same, ready := v.agreement("alpha")
	if same != 3 || ready != 4 || v.agreed() {
		t.Errorf("agreement %d of %d, agreed: %v", same, ready, v.agreed())
	}
	if same, ready := v.agreement("beta"); same != 4 || ready != 4 {
		t.Errorf("agreement on beta %d of %d", same, ready)
	}
}

func TestFinalityIsTheLowestOfThePeers(t *testing.T) {
	n, nodes := stage(t)
	l := nodes["beta-0"].ledgers["beta"]
	l.Peers = []ledger.PeerView{{Chain: "alpha", Final: 1, Halted: "forked at epoch 4"}}
	nodes["beta-0"].ledgers["beta"] = l
	s := newObserver(n).look(t.Context()).Status()
	if a, b := s.Chains[0], s.Chains[1]; a.FinalEpoch != 1 || !a.Halted || b.FinalEpoch != 3 || b.Halted {
		t.Errorf("alpha %+v, beta %+v", a, b)
	}
}

func TestWhatCountsAndWhatIsFinal(t *testing.T) {
	n, nodes := stage(t)
	o := newObserver(n)
	v := o.look(t.Context())
	if !v.countsEverywhere() {
		t.Error("all of it counts")
	}
	if !v.finalEverywhere(map[string]uint64{"alpha": 3, "beta": 3}) || v.finalEverywhere(map[string]uint64{"alpha": 3, "beta": 4}) {
		t.Error("epoch 3 is final everywhere, epoch 4 is not")
	}
	l := nodes["alpha-0"].ledgers["alpha"]
	l.Peers = []ledger.PeerView{{Chain: "beta", Final: 3}}
	nodes["alpha-0"].ledgers["alpha"] = l
	if o.look(t.Context()).countsEverywhere() {
		t.Error("beta's stake gives no power on alpha")
	}

	l.Peers = []ledger.PeerView{{Chain: "beta", Final: 3, Halted: "failed at epoch 4"}}
	nodes["alpha-0"].ledgers["alpha"] = l
	if v := o.look(t.Context()); !v.countsEverywhere() || !v.finalEverywhere(map[string]uint64{"alpha": 3, "beta": 9}) {
		t.Error("nothing of a halted chain will ever count or be final")
	}

	l.Peers = []ledger.PeerView{{Chain: "beta", Final: 3}}
	l.Faults = []ledger.FaultView{{Chain: "alpha", Offenders: []ledger.AccountID{nodeAccount(0, 1)}}}
	nodes["alpha-0"].ledgers["alpha"] = l
	if !o.look(t.Context()).countsEverywhere() {
		t.Error("all of beta's stake on alpha stands behind a convicted validator")
	}
}

func TestTable(t *testing.T) {
	n, nodes := stage(t)
	l := nodes["alpha-0"].ledgers["alpha"]
	l.Faults = []ledger.FaultView{{ID: digest(1, 1), Kind: "double_vote", Chain: "beta", Epoch: 4, Offenders: []ledger.AccountID{nodeAccount(1, 1)}, Executed: true}}
	nodes["alpha-0"].ledgers["alpha"] = l
	nodes["beta-0"].status.Ready, nodes["beta-0"].status.Reason = false, "ledger alpha is 3 epochs behind"
	states := map[string]State{}
	for _, s := range n.services() {
		states[s.Name] = Running
	}
	states["alpha-1"], nodes["alpha-1"].status.Ready = Killed, false
	v := newObserver(n).look(t.Context())
	golden(t, "table.txt", strings.Join(append(v.table(states), "", v.epochLine(), v.powers()), "\n")+"\n")
}

func TestTableOfATestnetInTrouble(t *testing.T) {
	n, nodes := stage(t)
	l := nodes["alpha-0"].ledgers["alpha"]
	l.Peers = []ledger.PeerView{{Chain: "beta", Final: 3, Halted: "failed at epoch 4"}}
	nodes["alpha-0"].ledgers["alpha"] = l
	nodes["beta-1"].status.Ready, nodes["beta-1"].status.Reason = false, "the home chain does not answer"
	l = nodes["beta-0"].ledgers["beta"]
	l.Peers = []ledger.PeerView{{Chain: "alpha", Imported: 3}, {Chain: "gamma"}}
	nodes["beta-0"].ledgers["beta"] = l
	table := strings.Join(newObserver(n).look(t.Context()).table(all(Running, map[string]State{"beta": Died})), "\n")
	for _, want := range []string{"  beta HALTED ", "  alpha is secured by beta no more\n", "  beta is secured by alpha no more, gamma not yet\n", "  3/4 nodes ready · beta died · beta-1 waits for beta\n"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

func TestNothingAnswers(t *testing.T) {
	n, nodes := stage(t)
	for _, f := range nodes {
		f.status.Network = "another network"
	}
	v := newObserver(n).look(t.Context())
	s := v.Status()
	if v.agreed() || s.Chains[0].Epoch != 0 || s.Nodes[0].Ready || len(s.Nodes[0].Ledgers) != 0 {
		t.Errorf("status of nobody: %+v", s)
	}
	if lines := v.table(map[string]State{}); len(lines) == 0 {
		t.Error("no table")
	}
}
