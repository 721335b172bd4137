package ledger_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func signedBy(t testing.TB, m *ledgertest.Mesh, chain string, key ed25519.PrivateKey) func(*ledger.Operation, error) *ledger.Operation {
	return func(op *ledger.Operation, err error) *ledger.Operation {
		t.Helper()
		must(t, err)
		must(t, op.Sign(m.ID, chain, key))
		return op
	}
}

// refused runs one operation, which must fail with code and change nothing.
func refused(t *testing.T, m *ledgertest.Mesh, chain string, want ledger.Code, op *ledger.Operation) {
	t.Helper()
	in, err := m.Input(chain, op)
	must(t, err)
	parent := m.Head(chain)
	r, err := ledger.Execute(m.Manifest, parent.Checkpoint, m.Tree(chain), in)
	must(t, err)
	if got := ledger.Code(r.Receipts[0].Code); got != want {
		t.Errorf("%v: receipt %v %q, want %v", ledger.Kind(op.Kind), got, r.Receipts[0].Reason, want)
	}
	if r.Transcript.Steps[0].Root != m.Tree(chain).Root() {
		t.Errorf("%v: a refused operation changed the root", ledger.Kind(op.Kind))
	}
	if len(r.Receipts[0].Reason) == 0 {
		t.Errorf("%v: no reason", ledger.Kind(op.Kind))
	}
}

func TestRefusedOperationsSayWhyAndChangeNothing(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 6 {
		round(t, m)
	}
	alpha, beta := m.Chains[0], m.Chains[1]
	v, w := alpha.Validators[0], alpha.Validators[1]
	own := signedBy(t, m, "alpha", v.Account)
	authority := signedBy(t, m, "alpha", alpha.Authority)
	units := ledger.Units
	const nonce = 1 // crossPledge used 0
	to := beta.Validators[0].ID

	refused(t, m, "alpha", ledger.CodeNonce, own(ledger.NewWithdraw(v.ID, nonce+1, units(1))))
	refused(t, m, "alpha", ledger.CodeUnauthorised, signedBy(t, m, "alpha", w.Account)(ledger.NewWithdraw(v.ID, nonce, units(1))))
	refused(t, m, "alpha", ledger.CodeUnauthorised, signedBy(t, m, "beta", v.Account)(ledger.NewWithdraw(v.ID, nonce, units(1)))) // for another chain
	stranger := ed25519.NewKeyFromSeed(make([]byte, 32))
	refused(t, m, "alpha", ledger.CodeUnknown, signedBy(t, m, "alpha", stranger)(ledger.NewWithdraw(ledger.AccountOf(stranger), 0, units(1))))
	refused(t, m, "alpha", ledger.CodeVault, own(ledger.NewWithdraw(v.ID, nonce, units(1_000_000))))
	refused(t, m, "alpha", ledger.CodeLimit, own(ledger.NewWithdraw(v.ID, nonce, units(0))))

	refused(t, m, "alpha", ledger.CodeVault, own(ledger.NewPledge(v.ID, nonce, "beta", to, units(2_000_000), ledger.One/10*3)))        // I1
	refused(t, m, "alpha", ledger.CodeVault, own(ledger.NewPledge(v.ID, nonce, "beta", to, units(1_000_000), ledger.One)))             // I2
	refused(t, m, "alpha", ledger.CodeLimit, own(ledger.NewPledge(v.ID, nonce, "beta", to, units(1000), ledger.One/10)))               // lower ratio
	refused(t, m, "alpha", ledger.CodeLimit, own(ledger.NewPledge(v.ID, nonce, "beta", to, units(1000), 0)))                           // no ratio
	refused(t, m, "alpha", ledger.CodeLimit, own(ledger.NewPledge(v.ID, nonce, "beta", to, units(0), ledger.One/10*3)))                // nothing
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewPledge(v.ID, nonce, "omega", to, units(1000), ledger.One/2)))             // no such chain
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewPledge(v.ID, nonce, "beta", v.ID, units(1000), ledger.One/2)))            // not in beta's set
	refused(t, m, "alpha", ledger.CodeMalformed, own(ledger.NewPledge(v.ID, nonce, "beta", ledger.Backstop, units(1000), ledger.One))) // accepts nothing
	refused(t, m, "alpha", ledger.CodeInvalid, own(ledger.NewBackstop(v.ID, nonce, "alpha", units(1000), ledger.One, units(1))))       // of itself
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewBackstop(v.ID, nonce, "omega", units(1000), ledger.One, units(1))))       // no such chain
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewPledge(v.ID, nonce, "alpha", to, units(1000), ledger.One/2)))             // not a validator here

	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewRelease(v.ID, nonce, "omega", to, units(1))))
	refused(t, m, "alpha", ledger.CodeUnknown, own(ledger.NewRelease(v.ID, nonce, "beta", beta.Validators[1].ID, units(1))))
	refused(t, m, "alpha", ledger.CodeVault, own(ledger.NewRelease(v.ID, nonce, "beta", to, units(300_001))))
	refused(t, m, "alpha", ledger.CodeLimit, own(ledger.NewRelease(v.ID, nonce, "beta", to, units(299_999)))) // leaves dust

	refused(t, m, "alpha", ledger.CodeUnauthorised, own(ledger.NewDeposit(4, v.ID, units(1))))
	refused(t, m, "alpha", ledger.CodeNonce, authority(ledger.NewDeposit(3, v.ID, units(1))))
	refused(t, m, "alpha", ledger.CodeLimit, authority(ledger.NewDeposit(4, v.ID, ledger.NewAmount(ledger.MaxAmount))))
	unsigned, err := ledger.NewDeposit(4, v.ID, units(1))
	must(t, err)
	refused(t, m, "alpha", ledger.CodeUnauthorised, unsigned)

	late, err := ledger.NewWithdraw(v.ID, nonce, units(1))
	must(t, err)
	late.Expires = m.Head("alpha").Checkpoint.Time // before any block to come
	must(t, late.Sign(m.ID, "alpha", v.Account))
	refused(t, m, "alpha", ledger.CodeExpired, late)

	// Somebody else's keys, or his own a second time.
	reg := &ledger.Register{Key: w.Key.PublicKey().Bytes(), KeyType: 1, ConsensusKey: []byte(w.Consensus.Public().(ed25519.PublicKey))}
	refused(t, m, "alpha", ledger.CodeInvalid, own(ledger.NewRegister(v.ID, nonce, reg)))

	// What relays bring, replayed, out of sequence, or tampered with.
	ops, err := m.Relay("alpha")
	must(t, err)
	for _, op := range ops {
		cut := *op
		cut.Body = append([]byte(nil), op.Body...)
		cut.Body[len(cut.Body)-1] ^= 1
		in, err := m.Input("alpha", &cut)
		must(t, err)
		r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
		must(t, err)
		if r.Receipts[0].Code == 0 {
			t.Errorf("a tampered %v was accepted", ledger.Kind(op.Kind))
		}
		signed := *op
		signed.Nonce = 7
		refused(t, m, "alpha", ledger.CodeMalformed, &signed)
	}
	epoch(t, m, "alpha", ops...)
	for _, op := range ops {
		refused(t, m, "alpha", ledger.CodeDuplicate, op)
	}
}

// Two thirds of a peer can certify any time; ours is what it is compared with.
func TestAPeersClockIsNotBelieved(t *testing.T) {
	m := play(t, 2, 3, nil)
	round(t, m)
	round(t, m)
	peer, err := m.Reader("alpha").Peer("beta")
	must(t, err)
	next := *m.Head("beta").Checkpoint
	if next.Epoch != peer.Accepted+1 {
		t.Fatalf("beta is at epoch %d, accepted is %d", next.Epoch, peer.Accepted)
	}
	for _, c := range []struct {
		time uint64
		want ledger.Code
	}{
		{peer.Time - 1, ledger.CodeInvalid},
		{next.Time + 1_000_000, ledger.CodeLimit},
	} {
		forged := next
		forged.Time = c.time
		cert, err := m.Certify(&forged)
		must(t, err)
		op, err := ledger.NewUpdatePeer(cert, m.Set("beta", forged.Epoch).ValidatorSet())
		must(t, err)
		refused(t, m, "alpha", c.want, op)
	}
}

func TestFrozenCollateralDoesNotLeave(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 7 {
		round(t, m)
	}
	proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch-1, 0)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	to := m.Chains[1].Validators[0].ID
	before, _, err := m.Reader("alpha").Account(v.ID)
	must(t, err)
	free := before.Free.Int().Uint64()
	refused(t, m, "alpha", ledger.CodeVault, own(ledger.NewWithdraw(v.ID, 1, ledger.Units(free+1))))
	if free > 1_400_000-600_000 { // its largest lien, of which a slash of the other one takes nothing
		t.Fatalf("%d of the collateral is free", free)
	}
	refused(t, m, "alpha", ledger.CodeFrozen, own(ledger.NewRelease(v.ID, 1, "beta", to, ledger.Units(300_000))))
	refused(t, m, "alpha", ledger.CodeHalted, own(ledger.NewPledge(v.ID, 1, "beta", to, ledger.Units(1000), ledger.One/10*3)))
	for range 2 {
		epoch(t, m, "alpha")
	}
	// Executed: 90,000 of 300,000 are gone, and the rest may be released.
	a, _, err := m.Reader("alpha").Account(v.ID)
	must(t, err)
	if a.Collateral != ledger.Units(1_400_000-90_000) {
		t.Fatalf("collateral %v", a.Collateral)
	}
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, 1, "beta", to, ledger.Units(210_000))))
}

// Released before the proof and after the offence: still slashed, from what was
// captured.
func TestReleasingDoesNotEscape(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 7 {
		round(t, m)
	}
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	to := m.Chains[1].Validators[0].ID
	at := m.Head("beta").Checkpoint.Epoch
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, 1, "beta", to, ledger.Units(300_000))))
	round(t, m)
	proof, err := m.DoubleVote("beta", at, 0)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	for range 2 {
		epoch(t, m, "alpha")
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 1 || slashes[0].Amount != ledger.Units(90_000) {
		t.Fatalf("slashes %+v", slashes)
	}
}

func TestReleasedStakeMaturesOnlyAfterTheWindow(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	to := m.Chains[1].Validators[0].ID
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, 1, "beta", to, ledger.Units(300_000))))
	// 1,400,000 with liens of 600,000 at 0.5 and 300,000 at 0.3: 800,000 is free
	// before, and 800,000 after, since the largest lien is the bound.
	released := m.Head("alpha").Checkpoint.Time
	lienLeft := func() bool {
		liens, err := m.Reader("alpha").Liens()
		must(t, err)
		for _, l := range liens {
			if l.Account == v.ID && l.Consumer == "beta" && !l.Amount.IsZero() {
				return true
			}
		}
		return false
	}
	nonce := uint64(2)
	for {
		relayed, err := m.Relay("alpha")
		must(t, err)
		other, err := m.Relay("beta")
		must(t, err)
		// The withdrawal settles what has matured.
		epoch(t, m, "alpha", append(relayed, own(ledger.NewWithdraw(v.ID, nonce, ledger.Units(1))))...)
		epoch(t, m, "beta", other...)
		nonce++
		now := m.Head("alpha").Checkpoint.Time
		if gone := !lienLeft(); gone {
			if now < released+180_000 {
				t.Fatalf("matured after %d ms", now-released)
			}
			return
		}
		if now > released+400_000 {
			t.Fatal("never matured")
		}
	}
}

// A ledger that is handed arbitrary bytes answers with a receipt, and goes on.
func FuzzExecute(f *testing.F) {
	m := play(f, 2, 2, nil)
	v := m.Chains[0].Validators[0]
	valid := pledge(f, m, "alpha", v, 0, "beta", m.Chains[1].Validators[0].ID, 1000, ledger.One/10)
	enc, err := ledger.EncodeOperation(valid)
	must(f, err)
	f.Add(enc)
	f.Add([]byte{})
	epoch(f, m, "beta")
	ops, err := m.Relay("alpha")
	must(f, err)
	for _, op := range ops {
		enc, err := ledger.EncodeOperation(op)
		must(f, err)
		f.Add(enc)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := m.Input("alpha", valid)
		must(t, err)
		in.Blocks[0].Operations[0].Data = b
		r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
		if err != nil {
			t.Fatal(err)
		}
		if r.Receipts[0].Code != 0 && r.Transcript.Steps[0].Root != m.Tree("alpha").Root() {
			t.Fatal("a refused operation changed the root")
		}
		if op, err := ledger.DecodeOperation(b); err == nil {
			again, err := ledger.EncodeOperation(op)
			if err != nil || string(again) != string(b) {
				t.Fatalf("not canonical: %x became %x, %v", b, again, err)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	n := ledgertest.New(2, 2, nil)
	enc, err := n.Manifest.Encode()
	must(f, err)
	f.Add(enc)
	f.Add([]byte("name = 'x'\n[[chains]]\nid = 'a'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ledger.ParseManifest(b)
		if err != nil {
			return
		}
		if m.Validate() != nil {
			return
		}
		again, err := m.Encode()
		must(t, err)
		back, err := ledger.ParseManifest(again)
		if err != nil || back.ID() != m.ID() {
			t.Fatalf("a valid manifest came back as another: %v", err)
		}
	})
}

// What is written and read again is the same network, whatever is empty in it.
func TestManifestKeepsItsIDOnDisk(t *testing.T) {
	for _, n := range []*ledgertest.Network{
		ledgertest.New(1, 1, nil),
		ledgertest.New(3, 2, nil),
		ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") }),
		ledgertest.New(2, 2, func(m *ledger.Manifest) {
			m.Chains[0].Peers = nil
			m.Chains[1].Accounts = append(m.Chains[1].Accounts, &ledger.GenesisAccount{ID: ledger.AccountID{1}, Collateral: ledger.Units(5)})
		}),
	} {
		must(t, n.Manifest.Validate())
		enc, err := n.Manifest.Encode()
		must(t, err)
		back, err := ledger.ParseManifest(enc)
		must(t, err)
		if back.ID() != n.ID {
			t.Errorf("%d chains: another network after reading what was written", len(n.Chains))
		}
		must(t, back.Validate())
	}
}

func TestManifestIsChecked(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*ledger.Manifest)
	}{
		{"unbonding", func(m *ledger.Manifest) { m.Chains[0].Params.Unbonding.Time = 100_000 }},
		{"statement_expiry", func(m *ledger.Manifest) { m.Chains[0].Params.ChallengeWindow.Time = 16_000 }},
		{"chain alpha: unbonding 3m0s must be at least the longest statement_expiry in the manifest", func(m *ledger.Manifest) {
			m.Chains[1].Params.StatementExpiry, m.Chains[1].Params.Unbonding.Time = 100_000, 200_000 // good for itself
		}},
		{"reporter_reward", func(m *ledger.Manifest) { m.Chains[0].Params.ReporterReward = ledger.One / 10 }},
		{"epoch_blocks", func(m *ledger.Manifest) { m.Chains[0].EpochBlocks = 0 }},
		{"downtime.jail", func(m *ledger.Manifest) { m.Chains[0].Params.Downtime.Jail = 1 << 33 }},
		{"unbonding of 8589934592 epochs", func(m *ledger.Manifest) { m.Chains[0].Params.Unbonding.Epochs = 1 << 33 }},
		{"limits.records", func(m *ledger.Manifest) { m.Chains[0].Params.Limits.Records = 1 << 33 }},
		{"epoch_blocks", func(m *ledger.Manifest) { m.Chains[0].EpochBlocks = ledger.MaxEpochBlocks + 1 }},
		{"threshold", func(m *ledger.Manifest) { m.Chains[0].Authority.Threshold = 2 }},
		{"not another chain", func(m *ledger.Manifest) { m.Chains[0].Peers[0].Chain = "omega" }},
		{"exceeds the collateral", func(m *ledger.Manifest) { m.Chains[0].Accounts[0].Collateral = ledger.Units(500_000) }},
		{"no validator with stake", func(m *ledger.Manifest) { m.Chains[0].Accounts = nil }},
		{"genesis_time", func(m *ledger.Manifest) { m.Genesis = 0 }},
		{"chain", func(m *ledger.Manifest) { m.Chains = nil }},
	} {
		n := ledgertest.New(2, 2, nil)
		m := n.Manifest
		c.change(m)
		// Bind again, so that only the change is wrong.
		for _, chain := range n.Chains {
			spec := m.Chain(chain.ID)
			if spec == nil {
				continue
			}
			for _, candidate := range spec.Validators {
				for _, v := range chain.Validators {
					if v.ID == candidate.Account {
						must(t, candidate.Bind(m.ID(), chain.ID, v.Key, v.Secret()))
					}
				}
			}
		}
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line about %q, got: %v", c.want, err)
		}
	}
	n := ledgertest.New(2, 2, nil)
	n.Manifest.Chains[1].Validators[0].Possession[5] ^= 1
	if n.Manifest.ID() != n.ID {
		t.Error("the network id depends on what signs it")
	}
	if n.Manifest.Validate() == nil {
		t.Error("a wrong possession was accepted")
	}
	if _, err := ledger.ParseManifest([]byte("nam = 'x'")); err == nil || !strings.Contains(err.Error(), `"nam"`) {
		t.Errorf("an unknown key must be named: %v", err)
	}
}

// TestGoldenRoots pins the protocol: a change of any rule or encoding shows here.
func TestGoldenRoots(t *testing.T) {
	m := play(t, 3, 4, nil)
	var b strings.Builder
	line := func(what string, root [32]byte) { b.WriteString(what + " " + hex.EncodeToString(root[:]) + "\n") }
	line("network", m.ID)
	crossPledge(t, m)
	for range 7 {
		round(t, m)
	}
	proof, err := m.DoubleVote("gamma", 6, 1)
	must(t, err)
	line("proof", proof.ID())
	for _, c := range m.Chains {
		op, err := m.SubmitFault(c.ID, proof, m.Chains[2].Validators[0].ID)
		must(t, err)
		epoch(t, m, c.ID, op)
	}
	for range 3 {
		round(t, m)
	}
	for _, c := range m.Chains {
		cp := m.Head(c.ID).Checkpoint
		line(c.ID+" checkpoint", cp.Root())
		line(c.ID+" ledger", cp.LedgerRoot)
		line(c.ID+" operations", cp.OpsRoot)
		line(c.ID+" validators", cp.ValidatorsRoot)
	}
	path := filepath.Join("testdata", "roots.golden")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if b.String() != string(want) {
		t.Errorf("the roots changed; if that is meant, run go test ./store/ledger -update\n got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestRandomOperationsKeepTheBooks lets validators of one chain do what they like.
func TestRandomOperationsKeepTheBooks(t *testing.T) {
	n := ledgertest.New(2, 3, nil)
	rapid.Check(t, func(rt *rapid.T) {
		m, err := ledgertest.Play(n)
		must(t, err)
		alpha, beta := m.Chains[0], m.Chains[1]
		authorityNonce := uint64(0)
		nonces := map[ledger.AccountID]uint64{}
		for range rapid.IntRange(1, 25).Draw(rt, "operations") {
			v := rapid.SampledFrom(alpha.Validators).Draw(rt, "account")
			amount := ledger.Units(rapid.Uint64Range(0, 700_000).Draw(rt, "amount"))
			own := signedBy(t, m, "alpha", v.Account)
			consumer, to := "beta", rapid.SampledFrom(beta.Validators).Draw(rt, "validator").ID
			if rapid.Bool().Draw(rt, "home") {
				consumer, to = "alpha", v.ID
			}
			ratio := ledger.Ratio(rapid.Uint64Range(ledger.One/100, ledger.One).Draw(rt, "ratio"))
			var op *ledger.Operation
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				op = signedBy(t, m, "alpha", alpha.Authority)(ledger.NewDeposit(authorityNonce, v.ID, amount))
			case 1:
				op = own(ledger.NewWithdraw(v.ID, nonces[v.ID], amount))
			case 2:
				op = own(ledger.NewPledge(v.ID, nonces[v.ID], consumer, to, amount, ratio))
			case 3:
				op = own(ledger.NewRelease(v.ID, nonces[v.ID], consumer, to, amount))
			}
			before := m.Tree("alpha").Root()
			r, err := m.Epoch("alpha", op)
			must(t, err)
			if ok := r.Receipts[0].Code == 0; !ok && r.Transcript.Steps[0].Root != before {
				rt.Fatal("a refused operation changed the root")
			} else if ok && ledger.Kind(op.Kind) == ledger.KindDeposit {
				authorityNonce++
			} else if ok {
				nonces[v.ID]++
			}
			conserved(t, m, "alpha")
			accounts, err := m.Reader("alpha").Accounts()
			must(t, err)
			for _, a := range accounts {
				if a.MaxLien.Int().Gt(a.Collateral.Int()) || a.Slashable.Int().Gt(a.Collateral.Int()) {
					rt.Fatalf("invariant broken: %+v", a)
				}
			}
		}
	})
}
