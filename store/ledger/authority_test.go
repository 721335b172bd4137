package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func setParams(t *testing.T, m *ledgertest.Mesh, chain string, change func(*ledger.Params)) *ledger.Operation {
	t.Helper()
	p, err := m.Reader(chain).Params()
	must(t, err)
	change(p)
	return byAuthority(t, m, chain)(ledger.NewSetParams(authorityNonce(t, m, chain), p))
}

func byAuthority(t *testing.T, m *ledgertest.Mesh, chain string) func(*ledger.Operation, error) *ledger.Operation {
	return signedBy(t, m, chain, m.Chains[index(m, chain)].Authority)
}

func authorityNonce(t *testing.T, m *ledgertest.Mesh, chain string) uint64 {
	t.Helper()
	meta, err := m.Reader(chain).Meta()
	must(t, err)
	return meta.AuthorityNonce
}

func params(t *testing.T, m *ledgertest.Mesh, chain string) *ledger.Params {
	t.Helper()
	p, err := m.Reader(chain).Params()
	must(t, err)
	return p
}

func TestParamsThatBindNobodyTakeEffectAtTheEndOfTheEpoch(t *testing.T) {
	m := play(t, 1, 4, nil)
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(p *ledger.Params) { p.MinLien = ledger.Units(5_000) }))
	if got := params(t, m, "alpha").MinLien; got != ledger.Units(5_000) {
		t.Fatalf("min_lien %v", got)
	}
	if p, err := m.Reader("alpha").Pending(); err != nil || p != nil {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestParamsThatBindOthersWaitForOneOldUnbondingTime(t *testing.T) {
	for name, change := range map[string]func(*ledger.Params){
		"lower penalty":        func(p *ledger.Params) { p.Penalty.DoubleVote /= 2 },
		"higher penalty":       func(p *ledger.Params) { p.Penalty.Equivocation *= 2 },
		"another rule":         func(p *ledger.Params) { p.Penalty.Rule = ledger.Flat },
		"shorter unbonding":    func(p *ledger.Params) { p.Unbonding.Time -= 10_000 },
		"longer unbonding":     func(p *ledger.Params) { p.Unbonding.Time += 10_000 },
		"higher covered value": func(p *ledger.Params) { p.CoveredValue = ledger.Units(1) },
		"longer reach":         func(p *ledger.Params) { p.Correlation.Epochs++ },
		"shorter challenge":    func(p *ledger.Params) { p.ChallengeWindow.Epochs-- },
	} {
		t.Run(name, func(t *testing.T) {
			m := play(t, 1, 4, func(n *ledger.Manifest) { n.Chains[0].Params.Unbonding.Time += 20_000 })
			before := *params(t, m, "alpha")
			epoch(t, m, "alpha", setParams(t, m, "alpha", change))
			set := m.Head("alpha").Checkpoint
			waits, err := m.Reader("alpha").Pending()
			must(t, err)
			if waits == nil || waits.Epoch != set.Epoch {
				t.Fatalf("pending: %+v", waits)
			}
			for *params(t, m, "alpha") == before {
				if now := m.Head("alpha").Checkpoint; now.Time > set.Time+uint64(before.Unbonding.Time)+6*ledgertest.BlockTime {
					t.Fatal("they never took effect")
				}
				epoch(t, m, "alpha")
			}
			// The operation was in the first block of its epoch, four blocks before its end.
			if now := m.Head("alpha").Checkpoint; now.Time < set.Time-4*ledgertest.BlockTime+uint64(before.Unbonding.Time) {
				t.Fatalf("in force after %d ms", now.Time-set.Time)
			}
			want := before
			change(&want)
			if got := *params(t, m, "alpha"); got != want {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestALaterSetParamsReplacesOneThatWaits(t *testing.T) {
	m := play(t, 1, 4, nil)
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(p *ledger.Params) { p.CoveredValue = ledger.Units(1) }))
	for range 10 {
		epoch(t, m, "alpha")
	}
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(p *ledger.Params) { p.CoveredValue = ledger.Units(2) }))
	for range 45 {
		epoch(t, m, "alpha")
		if got := params(t, m, "alpha").CoveredValue; got == ledger.Units(1) {
			t.Fatal("what was replaced is in force")
		}
	}
	if got := params(t, m, "alpha").CoveredValue; got != ledger.Units(2) {
		t.Fatalf("covered value %v", got)
	}
}

func TestTheRulesInForceTakeBackWhatWaits(t *testing.T) {
	m := play(t, 1, 4, nil)
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(p *ledger.Params) { p.CoveredValue = ledger.Units(1) }))
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(*ledger.Params) {}))
	if p, err := m.Reader("alpha").Pending(); err != nil || p != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	refused(t, m, "alpha", ledger.CodeDuplicate, setParams(t, m, "alpha", func(*ledger.Params) {}))
}

// What alpha's stake stands behind on beta, it stands behind until beta's statement expires,
// whatever alpha's own expiry is.
func TestParamsKeepToTheLongestExpiryOfTheNetwork(t *testing.T) {
	m := play(t, 2, 4, func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Params.Unbonding.Time = 300_000
		}
		n.Chains[1].Params.StatementExpiry = 120_000
	})
	for name, change := range map[string]func(*ledger.Params){
		"shorter unbonding": func(p *ledger.Params) { p.Unbonding.Time = 200_000 },
		"longer expiry":     func(p *ledger.Params) { p.StatementExpiry, p.Unbonding.Time = 120_001, 900_000 },
	} {
		op := setParams(t, m, "alpha", change)
		p := *params(t, m, "alpha")
		change(&p)
		must(t, p.Validate()) // it is good for itself
		t.Run(name, func(t *testing.T) { refused(t, m, "alpha", ledger.CodeInvalid, op) })
	}
	epoch(t, m, "alpha", setParams(t, m, "alpha", func(p *ledger.Params) { p.StatementExpiry, p.Unbonding.Time = 120_000, 210_000 }))
}

func TestParamsThatBreakAnInequalityAreRefused(t *testing.T) {
	m := play(t, 1, 4, nil)
	for name, change := range map[string]func(*ledger.Params){
		"unbonding":    func(p *ledger.Params) { p.Unbonding.Time = p.StatementExpiry + p.EvidenceAge.Time },
		"epochs":       func(p *ledger.Params) { p.Unbonding.Epochs = p.ChallengeWindow.Epochs },
		"expiry":       func(p *ledger.Params) { p.ChallengeWindow.Time = p.StatementExpiry },
		"reward":       func(p *ledger.Params) { p.ReporterReward = ledger.One / 10 },
		"no penalty":   func(p *ledger.Params) { p.Penalty.DoubleVote = 0 },
		"no price":     func(p *ledger.Params) { p.Penalty.Equivocation = 0 },
		"all and more": func(p *ledger.Params) { p.Penalty.Equivocation = ledger.One + 1 },
		"no rule":      func(p *ledger.Params) { p.Penalty.Rule = 9 },
		"multiplier":   func(p *ledger.Params) { p.Penalty.Multiplier = 0 },
		"bytes":        func(p *ledger.Params) { p.Limits.Bytes = 1 },
		"records":      func(p *ledger.Params) { p.Limits.Records = 1 },
		"slashes":      func(p *ledger.Params) { p.Limits.Slashes = 0 },
		"many slashes": func(p *ledger.Params) { p.Limits.Slashes = ledger.MaxLimitSlashes + 1 },
		"long windows": func(p *ledger.Params) { p.Unbonding.Time = 1 << 62 },
		"downtime":     func(p *ledger.Params) { p.Downtime.Window = ledger.MaxDowntimeWindow + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, m, "alpha", ledger.CodeInvalid, setParams(t, m, "alpha", change))
		})
	}
	refused(t, m, "alpha", ledger.CodeDuplicate, setParams(t, m, "alpha", func(*ledger.Params) {}))
	p := *params(t, m, "alpha")
	p.MinLien = ledger.Units(1)
	v := m.Chains[0].Validators[0]
	refused(t, m, "alpha", ledger.CodeUnauthorised, signedBy(t, m, "alpha", v.Account)(ledger.NewSetParams(0, &p)))
}

func TestAZeroCapEjectsAProvider(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	virtual := func() ledger.Amount {
		peers, err := m.Reader("alpha").Peers()
		must(t, err)
		return peers[0].Virtual
	}
	if virtual().IsZero() {
		t.Fatal("beta gives nothing")
	}
	terms, err := m.Reader("alpha").Terms("beta")
	must(t, err)
	terms.Cap = 0
	epoch(t, m, "alpha", byAuthority(t, m, "alpha")(ledger.NewSetPeer(authorityNonce(t, m, "alpha"), "beta", *terms)))
	if got := virtual(); !got.IsZero() {
		t.Fatalf("virtual stake %v", got)
	}
	power, err := m.Reader("alpha").Power()
	must(t, err)
	for _, p := range power {
		if p.Power != p.Own {
			t.Fatalf("%+v", p)
		}
	}
	refused(t, m, "alpha", ledger.CodeInvalid, byAuthority(t, m, "alpha")(ledger.NewSetPeer(authorityNonce(t, m, "alpha"), "beta", ledger.Terms{})))
	refused(t, m, "alpha", ledger.CodeUnknown, byAuthority(t, m, "alpha")(ledger.NewSetPeer(authorityNonce(t, m, "alpha"), "omega", *terms)))
}

// A provider that gives more than a third of the power can stop the chain alone.
func TestAProviderWithMoreThanAThirdOfThePowerIsWarnedOf(t *testing.T) {
	m := play(t, 2, 4, func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Peers[0].Price, c.Peers[0].Discount, c.Peers[0].Cap = 3*ledger.One, 0, 2*ledger.One
		}
	})
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	peers, err := m.Reader("alpha").Peers()
	must(t, err)
	// 4·900,000 virtual of 4·1,500,000.
	if want := "beta alone gives 0.6 of the power here, more than 1/3: it can stop this chain"; peers[0].Warning != want {
		t.Fatalf("warning %q", peers[0].Warning)
	}
}
