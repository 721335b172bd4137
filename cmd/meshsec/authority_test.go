package main

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// decide runs a command of the authority that must succeed.
func (c *cashier) decide(t *testing.T, args ...string) outcome {
	t.Helper()
	o := decoded[outcome](t, done(t, append(args, "--node", c.url, "--authority-key", c.authority, "--json")...))
	if o.Receipt == nil || !o.Receipt.OK || len(o.Operation) != 32 || o.Chain != home {
		t.Fatalf("%+v", o)
	}
	return o
}

// rest plays alpha on for as long as an unplayed beta needs to become stale there.
func (c *cashier) rest(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 19 { // of 5 s each; half of the unbonding time is 90 s
		_, err := c.mesh.Epoch(home)
		ok(t, err)
	}
}

// play runs epochs of a chain.
func (c *cashier) play(t *testing.T, chain string, epochs int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for range epochs {
		_, err := c.mesh.Epoch(chain)
		ok(t, err)
	}
}

func TestAuthorityOfSeveralKeys(t *testing.T) {
	var keys []string
	var ids []ledger.AccountID
	dir := t.TempDir()
	for i := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("authority-%d.key", i))
		id := decoded[keyInfo](t, done(t, "keys", "new", "account", "--out", file, "--json")).name()
		keys, ids = append(keys, file), append(ids, ledger.AccountID(decodeHex(t, id)))
	}
	c := newCashierOf(t, ledgertest.New(2, 2, func(m *ledger.Manifest) {
		m.Chains[0].Authority = ledger.Authority{Threshold: 2, Keys: ids}
	}))
	set := []string{"peer", "set", "beta", "--cap", "0.25", "--node", c.url, "--authority-key", keys[2]}
	fails(t, exitFailed, []string{"set_peer refused in block 1 of alpha"}, set...)
	if out := done(t, append(set, "--authority-key", keys[0])...); !strings.Contains(out, "set_peer executed in block ") {
		t.Error(out)
	}
	fails(t, exitFailed, []string{"no such file"}, append(set, "--authority-key", filepath.Join(dir, "nobody.key"))...)
}

func TestParamsAreShownChangedAndReadBack(t *testing.T) {
	c := newCashier(t)
	shown := done(t, "params", "show", "--node", c.url)
	p, err := ledger.ParseParams([]byte(shown))
	ok(t, err)
	if *p != ledgertest.Params() {
		t.Fatalf("%+v is shown as\n%s", ledgertest.Params(), shown)
	}
	dir := t.TempDir()
	file := func(old, new string) string {
		if strings.Count(shown, old) != 1 {
			t.Fatalf("%q is not once in\n%s", old, shown)
		}
		return write(t, dir, "params.toml", strings.Replace(shown, old, new, 1))
	}

	// What binds nobody is in force at the end of the epoch.
	o := c.decide(t, "params", "set", "--file", file("min_lien = '1000'", "min_lien = '2000'"))
	if o.Kind != "set_params" || o.Effect != "the rules are in force from the end of that epoch on" || o.Account != nil {
		t.Errorf("%+v", o)
	}
	r := decoded[rules](t, done(t, "params", "show", "--node", c.url, "--json"))
	if r.Params.MinLien != ledger.Units(2000) || r.Pending != nil || r.Chain != home {
		t.Errorf("%+v", r)
	}

	// What binds waits, and is shown beside what is in force.
	shown = done(t, "params", "show", "--node", c.url)
	o = c.decide(t, "params", "set", "--file", file("covered_value = '0'", "covered_value = '777'"))
	if !strings.Contains(o.Effect, "in force once one unbonding time has passed (4 epochs and 3m0s)") {
		t.Errorf("%+v", o)
	}
	r = decoded[rules](t, done(t, "params", "show", "--node", c.url, "--json"))
	if !r.Params.CoveredValue.IsZero() || r.Pending == nil || r.Pending.Params.CoveredValue != ledger.Units(777) ||
		r.Pending.FromEpoch != r.Pending.Epoch+4 || r.Pending.FromTime != c.mesh.Head(home).Checkpoint.Time-4000+180_000 {
		t.Errorf("%+v", r)
	}
	shown = done(t, "params", "show", "--node", c.url)
	if !strings.Contains(shown, "\n# covered_value = '777'\n") || !strings.Contains(shown, "\n# rules that wait, not in force before the end of epoch 6 and 2023-11-14") {
		t.Errorf("%s", shown)
	}
	if p, err := ledger.ParseParams([]byte(shown)); err != nil || !p.CoveredValue.IsZero() {
		t.Errorf("what is shown can't be read back: %v, %+v", err, p)
	}
	if out := done(t, "ledger", "show", "--params", "--node", c.url); !strings.Contains(out, "# rules of alpha in force after epoch 2\n") {
		t.Error(out)
	}

	// The rules in force, sent again, take back what waits.
	o = c.decide(t, "params", "set", "--file", write(t, dir, "params.toml", shown))
	if o.Effect != "what waited to be in force is taken back" {
		t.Errorf("%+v", o)
	}
	if r = decoded[rules](t, done(t, "params", "show", "--node", c.url, "--json")); r.Pending != nil {
		t.Errorf("%+v", r.Pending)
	}
	if out := done(t, "params", "show", "--chain", "beta", "--node", c.url); !strings.Contains(out, "# rules of beta in force after epoch 0\n") {
		t.Error(out)
	}
}

func TestRulesThatCannotBeAreNotSent(t *testing.T) {
	c := newCashier(t)
	good := done(t, "params", "show", "--node", c.url)
	dir := t.TempDir()
	for _, tc := range []struct{ old, new, want string }{
		{"statement_expiry = '1m0s'", "statement_expiry = '20m0s'", "unbonding 3m0s must be at least"},
		{"min_lien", "minimal_lien", `unknown key "minimal_lien" in line `},
		{"double_vote = '0.05'\n", "", "penalty.double_vote is missing"},
		{"rule = 'quadratic'", "rule = 'cubic'", `"cubic" is not a penalty rule`},
		{"", "", "are in force already: change something"},
	} {
		if !strings.Contains(good, tc.old) {
			t.Fatalf("no %q in\n%s", tc.old, good)
		}
		file := write(t, dir, "params.toml", strings.Replace(good, tc.old, tc.new, 1))
		fails(t, exitFailed, []string{tc.want, file}, "params", "set", "--file", file, "--node", c.url, "--authority-key", c.authority)
	}
	fails(t, exitFailed, []string{"rules: ", "no such file"}, "params", "set", "--file", filepath.Join(dir, "none"), "--node", c.url, "--authority-key", c.authority)
	if n := c.mesh.Head(home).Checkpoint.Epoch; n != 0 {
		t.Errorf("%d operations were sent", n)
	}
}

func TestPeerTermsKeepWhatIsNotGiven(t *testing.T) {
	c := newCashier(t)
	terms := func() ledger.Terms {
		l, err := c.Ledger(t.Context(), home)
		ok(t, err)
		return *l.Peers[0].Terms
	}
	before := terms()
	o := c.decide(t, "peer", "set", "beta", "--cap", "0.2")
	want := before
	want.Cap = ledger.One / 5
	if o.Kind != "set_peer" || terms() != want || !strings.Contains(o.Effect, "price 1, discount 0.1 and cap 0.2") {
		t.Errorf("%+v, terms %+v", o, terms())
	}
	c.decide(t, "peer", "set", "beta", "--price", "2", "--discount", "0", "--cap", "0")
	if terms() != (ledger.Terms{Price: 2 * ledger.One}) {
		t.Errorf("terms %+v", terms())
	}
	set := []string{"--node", c.url, "--authority-key", c.authority}
	fails(t, exitFailed, []string{`"gamma" is no peer of alpha: they are [beta]`}, append(set, "peer", "set", "gamma", "--cap", "1")...)
	fails(t, exitFailed, []string{"the discount must be below 1"}, append(set, "peer", "set", "beta", "--discount", "1")...)
}

func TestStakeThatDoesNotCountNeedsAllTerms(t *testing.T) {
	c := newCashierOf(t, ledgertest.New(2, 2, func(m *ledger.Manifest) { m.Chains[0].Peers = nil }))
	set := []string{"peer", "set", "beta", "--node", c.url, "--authority-key", c.authority, "--cap", "0.5"}
	fails(t, exitFailed, []string{"stake of beta does not count on alpha yet: give --price, --discount and --cap"}, set...)
	done(t, append(set, "--price", "1", "--discount", "0.1")...)
}

func TestHaltedPeerIsTrustedOnceItsRootIsKnown(t *testing.T) {
	c := newCashier(t)
	trust := []string{"peer", "trust", "beta", "--node", c.url, "--authority-key", c.authority}
	fails(t, exitFailed, []string{"beta is not halted on the ledger of alpha: it is followed by its certificates"}, trust...)
	c.rest(t)
	fails(t, exitFailed, []string{"certificate of beta epoch 0: not found here yet"}, trust...)

	c.play(t, "beta", 18)
	root := c.mesh.Head("beta").Checkpoint.Root()
	told := hex.EncodeToString(root[:])
	fails(t, exitFailed, []string{
		"beta is halted (its last accepted checkpoint is older than half of the unbonding time), nothing was sent: epoch 18 of beta, of 2023-11-14",
		"has the root " + told, "give it with --root, or take the node's word with --yes",
	}, trust...)
	fails(t, exitFailed, []string{"has the root " + told + ", not " + strings.Repeat("ab", 32) + ": find out which is right"},
		append(trust, "--root", strings.Repeat("ab", 32))...)
	fails(t, exitFailed, []string{"trust_peer refused", "is stale itself"}, append(trust, "--epoch", "1", "--yes")...)

	o := decoded[outcome](t, done(t, append(trust, "--root", told, "--json")...))
	if o.Kind != "trust_peer" || !o.Receipt.OK || !strings.Contains(o.Effect, "beta is trusted from epoch 18 on, root "+told) {
		t.Errorf("%+v", o)
	}
	l, err := c.Ledger(t.Context(), home)
	ok(t, err)
	if p := l.Peers[0]; p.Halted != "" || p.Stale || p.Final != 18 {
		t.Errorf("%+v", p)
	}
	fails(t, exitFailed, []string{"is not halted"}, append(trust, "--yes")...)
}

func TestHaltedPeerIsTrustedOnTheNodesWord(t *testing.T) {
	c := newCashier(t)
	c.rest(t)
	c.play(t, "beta", 18)
	if out := done(t, "peer", "trust", "beta", "--yes", "--epoch", "17", "--node", c.url, "--authority-key", c.authority); !strings.Contains(out, "trust_peer executed in block ") || !strings.Contains(out, "\nbeta is trusted from epoch 17 on") {
		t.Error(out)
	}
}

func TestAnEmptyEscrowPaysNothing(t *testing.T) {
	c := newCashier(t)
	release := []string{"escrow", "release", "--account", c.id.String(), "--amount", "5", "--node", c.url, "--authority-key", c.authority}
	fails(t, exitFailed, []string{"release_escrow refused", "the escrow for beta holds 0, 5 can't be released"}, append(release, "--consumer", "beta")...)
	fails(t, exitFailed, []string{`"gamma" is no peer of alpha`}, append(release, "--consumer", "gamma")...)
}

func TestBackstopStandsBehindAWholeChain(t *testing.T) {
	c := newCashier(t)
	part := []string{"--account-key", c.account, "--consumer", "beta", "--backstop", "--amount", "200_000"}
	o := c.order(t, append([]string{"pledge", "--ratio", "0.1", "--accepts", "5_000_000"}, part...)...)
	if len(o.Liens) != 2 || o.Liens[1].Validator != ledger.Backstop || o.Liens[1].Accepts != ledger.Units(5_000_000) || o.Liens[1].Bonded != ledger.Units(200_000) {
		t.Errorf("%+v", o)
	}
	if out := done(t, "ledger", "show", "--liens", "--node", c.url); !strings.Contains(out, "  backstop up to 5,000,000  ") {
		t.Error(out)
	}
	if o = c.order(t, append([]string{"release"}, part...)...); !o.Liens[1].Bonded.IsZero() {
		t.Errorf("%+v", o)
	}
}

func TestJailedValidatorComesBack(t *testing.T) {
	network := ledgertest.New(2, 4, func(m *ledger.Manifest) {
		m.Chains[0].Params.Downtime = ledger.Downtime{Window: 1, Allowed: 0, Penalty: ledger.One / 1000, Jail: 4}
	})
	c := newCashierOf(t, network)
	unjail := []string{"unjail", "--node", c.url, "--account-key", c.account}
	fails(t, exitFailed, []string{"validator " + c.id.String() + " is not jailed on the ledger of alpha"}, unjail...)

	c.play(t, home, 1)
	cert, err := c.mesh.CertifyWithout(c.mesh.Head(home).Checkpoint, c.id)
	ok(t, err)
	record, err := ledger.NewRecordCertificate(cert, c.mesh.Set(home, 1).ValidatorSet())
	ok(t, err)
	_, err = c.mesh.Epoch(home, record)
	ok(t, err)
	c.play(t, home, 1) // which settles participation in epoch 1
	if out := done(t, "ledger", "show", "--power", "--full", "--node", c.url); !strings.Contains(out, "jailed for downtime: "+c.id.String()+" in epoch 3;") {
		t.Fatal(out)
	}
	fails(t, exitFailed, []string{"was jailed in epoch 3 of alpha: send this again from epoch 7 on, now is epoch 4"}, unjail...)
	c.play(t, home, 3)
	if o := c.order(t, "unjail", "--account-key", c.account); o.Kind != "unjail" || o.Effect == "" {
		t.Errorf("%+v", o)
	}
	l, err := c.Ledger(t.Context(), home)
	ok(t, err)
	if len(l.Jailed) != 0 || len(l.Power) != 4 {
		t.Errorf("%+v, %d validators", l.Jailed, len(l.Power))
	}
}
