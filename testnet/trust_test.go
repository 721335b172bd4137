package testnet

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// restedStage is a testnet whose chain alpha has halted beta as stale, and whose nodes
// hold a fresh certificate of beta's epoch 18.
func restedStage(t *testing.T) (*Testnet, map[string]*fakeNode) {
	t.Helper()
	n, nodes := bondedStage(t)
	mesh, err := ledgertest.Play(ledgertest.New(2, 2, nil))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	for range 18 {
		_, err := mesh.Epoch("beta")
		must(err)
	}
	var c api.Certificate
	c.Certificate, err = attest.EncodeCertificate(mesh.Certificate("beta", 18))
	must(err)
	c.Set, err = attest.EncodeValidatorSet(mesh.Set("beta", 18).ValidatorSet())
	must(err)
	c.Next, err = attest.EncodeValidatorSet(mesh.Set("beta", 19).ValidatorSet())
	must(err)

	n.Network = mesh.ID.String()
	params := ledgertest.Params()
	for _, f := range nodes {
		f.status.Network = n.Network
		f.status.Ledgers["beta"] = api.LedgerSummary{Epoch: 18, Executed: 18}
		f.status.Home.Time = mesh.Head("beta").Checkpoint.Time + 5000
		f.certificates = map[string]api.Certificate{"beta": c}
		f.ledgers["beta"] = api.Ledger{Chain: "beta", Epoch: 18, Params: &params, Peers: []ledger.PeerView{{Chain: "alpha"}}}
	}
	for _, name := range []string{"alpha-0", "alpha-1"} {
		nodes[name].ledgers["alpha"] = api.Ledger{
			Chain: "alpha", Epoch: 20, Params: &params, AuthorityNonce: 7,
			Peers: []ledger.PeerView{{Chain: "beta", Halted: ledger.HaltStale.String(), Stale: true}},
		}
	}
	return n, nodes
}

func TestStalePeerIsTrustedAnewOnce(t *testing.T) {
	n, nodes := restedStage(t)
	o := newObserver(n)
	v := o.look(t.Context())
	if lines := v.staleLines(); !slices.Equal(lines, []string{"beta on the ledger of alpha"}) {
		t.Errorf("stale: %v", lines)
	}
	lines := o.trust(t.Context(), v)
	if !slices.Equal(lines, []string{"beta was stale on the ledger of alpha, whose authority trusts it anew from epoch 18 on"}) {
		t.Fatalf("%v", lines)
	}
	if again := o.trust(t.Context(), o.look(t.Context())); len(again) != 0 {
		t.Errorf("it was not waited for what became of it: %v", again)
	}
	if got := len(nodes["alpha-0"].submitted); got != 1 {
		t.Fatalf("%d operations", got)
	}

	op, err := ledger.DecodeOperation(nodes["alpha-0"].submitted[0])
	if err != nil {
		t.Fatal(err)
	}
	var body ledger.TrustPeer
	if err := body.UnmarshalSSZ(op.Body); err != nil || ledger.Kind(op.Kind) != ledger.KindTrustPeer {
		t.Fatalf("%v: %v", ledger.Kind(op.Kind), err)
	}
	key, err := n.authorityKey("alpha")
	if err != nil {
		t.Fatal(err)
	}
	if op.Nonce != 7 || op.Expires == 0 || body.Checkpoint.Epoch != 18 || body.Set.Root() != body.Checkpoint.ValidatorsRoot ||
		len(op.Signatures) != 1 || op.Signatures[0].Key != ledger.AccountOf(key) {
		t.Errorf("%+v of %+v", op, body.Checkpoint)
	}

	// It did not help: three epochs later it is sent again.
	l := nodes["alpha-0"].ledgers["alpha"]
	l.Epoch += 3
	nodes["alpha-0"].ledgers["alpha"] = l
	if lines := o.trust(t.Context(), o.look(t.Context())); len(lines) != 1 {
		t.Errorf("%v", lines)
	}
}

func TestOnlyFreshEpochsOfStalePeersAreTrusted(t *testing.T) {
	for name, change := range map[string]func(f *fakeNode, p *ledger.PeerView){
		"it was convicted":           func(_ *fakeNode, p *ledger.PeerView) { p.Stale, p.Halted = false, ledger.HaltConvicted.String() },
		"it certified nothing since": func(f *fakeNode, _ *ledger.PeerView) { f.status.Home.Time += 90_000 },
		"the epoch is final already": func(_ *fakeNode, p *ledger.PeerView) { p.Final = 18 },
		"no node has a certificate":  func(f *fakeNode, _ *ledger.PeerView) { f.certificates = nil },
		"the certificate is damaged": func(f *fakeNode, _ *ledger.PeerView) {
			c := f.certificates["beta"]
			c.Next = c.Next[:len(c.Next)-1]
			f.certificates = map[string]api.Certificate{"beta": c}
		},
		"no node is ready": func(f *fakeNode, _ *ledger.PeerView) { f.status.Ready = false },
	} {
		t.Run(name, func(t *testing.T) {
			n, nodes := restedStage(t)
			for _, f := range nodes {
				change(f, &f.ledgers["alpha"].Peers[0])
			}
			o := newObserver(n)
			if lines := o.trust(t.Context(), o.look(t.Context())); len(lines) != 0 {
				t.Errorf("%v", lines)
			}
			if got := len(nodes["alpha-0"].submitted); got != 0 {
				t.Errorf("%d operations", got)
			}
		})
	}
}

func TestHaltedChainShowsWithTheReason(t *testing.T) {
	n, _ := restedStage(t)
	v := newObserver(n).look(t.Context())
	s := v.Status()
	if b := s.Chains[1]; !b.Halted || b.HaltReasons["alpha"] != ledger.HaltStale.String() || s.Chains[0].Halted {
		t.Errorf("%+v", s.Chains)
	}
	table := strings.Join(v.table(map[string]State{}), "\n")
	for _, want := range []string{"beta HALTED", "\n  beta is halted on the ledger of alpha: its last accepted checkpoint is older than half of the unbonding time\n"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

func TestWhatIsSaidInAStageLeavesItsLineAlone(t *testing.T) {
	var out strings.Builder
	s := NewScreen(&out, true)
	s.begin("waiting")
	s.say("something happened")
	s.progress("1 of 2")
	s.say()
	want := cut(clearLine+"  waiting …") + clearLine + "something happened\n" + cut(clearLine+"  waiting … 1 of 2")
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
