package testnet

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/store/ledger"
)

// epochLine is the shortest summary of a view.
func (v *view) epochLine() string {
	var parts []string
	for _, c := range v.t.Chains {
		parts = append(parts, fmt.Sprintf("%s %d", c.ID, v.epochs[c.ID]))
	}
	ready := 0
	for _, st := range v.nodes {
		if st.Ready {
			ready++
		}
	}
	return fmt.Sprintf("certified epochs %s, %d of %d nodes ready", strings.Join(parts, ", "), ready, len(v.t.nodes()))
}

// powers says how much of each chain's power its own stake is.
func (v *view) powers() string {
	var parts []string
	for _, c := range v.t.Chains {
		own, all := new(uint256.Int), new(uint256.Int)
		for _, p := range v.ledgers[c.ID].Power {
			own.Add(own, p.Own.Int())
			all.Add(all, p.Power.Int())
		}
		parts = append(parts, fmt.Sprintf("%s %s own + %s pledged", c.ID, short(own), short(new(uint256.Int).Sub(all, own))))
	}
	return strings.Join(parts, ", ")
}

// short writes a large amount in a few letters: 1.14M.
func short(v *uint256.Int) string {
	for _, unit := range []struct {
		size   uint64
		letter string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		size := uint256.NewInt(unit.size)
		if v.Lt(size) {
			continue
		}
		hundredths := new(uint256.Int).Div(new(uint256.Int).Mul(v, uint256.NewInt(100)), size)
		whole := new(uint256.Int).Div(hundredths, uint256.NewInt(100))
		rest := new(uint256.Int).Mod(hundredths, uint256.NewInt(100)).Uint64()
		if rest == 0 {
			return whole.Dec() + unit.letter
		}
		return strings.TrimRight(fmt.Sprintf("%s.%02d", whole.Dec(), rest), "0") + unit.letter
	}
	return v.Dec()
}

// percent is part of whole, rounded down.
func percent(part, whole ledger.Amount) string {
	if whole.IsZero() {
		return "-"
	}
	p := new(uint256.Int).Mul(part.Int(), uint256.NewInt(100))
	return p.Div(p, whole.Int()).Dec() + " %"
}

func prefix(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b[:min(4, len(b))]) + "…"
}

// height is the newest block that a node of the chain has read.
func (v *view) height(c *Chain) (h uint64) {
	for _, n := range c.Nodes {
		h = max(h, v.nodes[n.Name].Home.Height)
	}
	return h
}

// table is the view for people: the chains, who secures whom, the nodes, the
// faults.
func (v *view) table(states map[string]State) []string {
	lines := append(v.chainTable(), v.haltLines()...)
	lines = append(lines, "")
	lines = append(lines, v.pledgeLines()...)
	lines = append(lines, v.nodeLine(states))
	lines = append(lines, v.faultLines()...)
	return lines
}

func (v *view) chainTable() []string {
	rows := [][]string{{"chain", "height", "epoch", "certified", "final", "signed", "of power", "ledger root", "agree"}}
	for _, c := range v.Status().Chains {
		chain := v.t.Chains[slices.IndexFunc(v.t.Chains, func(o *Chain) bool { return o.ID == c.ID })]
		same, ready := v.agreement(c.ID)
		name := c.ID
		if c.Halted {
			name += " HALTED"
		}
		rows = append(rows, []string{
			name, fmt.Sprint(v.height(chain)), fmt.Sprint(v.ledgers[c.ID].Epoch), fmt.Sprint(c.Epoch), fmt.Sprint(c.FinalEpoch),
			percent(c.SignedPower, c.TotalPower), short(c.TotalPower.Int()), prefix(c.LedgerRoot), fmt.Sprintf("%d/%d", same, ready),
		})
	}
	return align(rows, 1)
}

// haltLines say why chains are halted, and on whose ledgers: one line for each reason.
func (v *view) haltLines() (lines []string) {
	for _, c := range v.Status().Chains {
		ledgers := map[string][]string{}
		for _, other := range slices.Sorted(maps.Keys(c.HaltReasons)) {
			reason := c.HaltReasons[other]
			ledgers[reason] = append(ledgers[reason], other)
		}
		for _, reason := range slices.Sorted(maps.Keys(ledgers)) {
			lines = append(lines, fmt.Sprintf("  %s is halted on the ledger of %s: %s", c.ID, strings.Join(ledgers[reason], ", "), reason))
		}
	}
	return lines
}

// align makes columns of equal width; those from left on that hold numbers or the
// like are aligned to the right.
func align(rows [][]string, left int) []string {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	lines := make([]string, len(rows))
	for n, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			b.WriteString("  ")
			if i < left {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(pad + cell)
			}
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// pledgeLines say for each chain who secures it, with how much power, from the
// statement of which epoch.
func (v *view) pledgeLines() (lines []string) {
	for _, c := range v.t.Chains {
		var parts []string
		for _, p := range v.ledgers[c.ID].Peers {
			switch {
			case p.Halted != "", p.Virtual.IsZero() && p.Imported > 0: // what is imported counted, until it expired
				parts = append(parts, p.Chain+" no more")
			case p.Virtual.IsZero():
				parts = append(parts, p.Chain+" not yet")
			default:
				parts = append(parts, fmt.Sprintf("%s %s of epoch %d", p.Chain, short(p.Virtual.Int()), p.Imported))
			}
		}
		if len(parts) > 0 {
			lines = append(lines, fmt.Sprintf("  %s is secured by %s", c.ID, strings.Join(parts, ", ")))
		}
	}
	return lines
}

// nodeLine counts the nodes and names those that are not well.
func (v *view) nodeLine(states map[string]State) string {
	ready := 0
	var others []string
	for _, s := range v.t.services() {
		st, answers := v.nodes[s.Name]
		switch {
		case states[s.Name] != Running:
			others = append(others, fmt.Sprintf("%s %s", s.Name, states[s.Name]))
		case s.Node == nil:
		case st.Diverged != "":
			others = append(others, fmt.Sprintf("%s DIVERGED: %s", s.Name, st.Diverged))
		case st.Ready:
			ready++
		case answers && states[s.Chain.ID] != Running:
			others = append(others, s.Name+" waits for "+s.Chain.ID)
		case answers:
			others = append(others, fmt.Sprintf("%s: %s", s.Name, st.Reason))
		default:
			others = append(others, s.Name+" does not answer")
		}
	}
	line := fmt.Sprintf("  %d/%d nodes ready", ready, len(v.t.nodes()))
	if len(others) > 0 {
		line += " · " + strings.Join(others, " · ")
	}
	return line
}

// faultLines say for each fault how far it is on the ledgers.
func (v *view) faultLines() (lines []string) {
	type progress struct {
		line              string
		recorded, slashed int
	}
	var order []string
	seen := map[string]*progress{}
	for _, c := range v.t.Chains {
		for _, f := range v.ledgers[c.ID].Faults {
			id := hex.EncodeToString(f.ID)
			p := seen[id]
			if p == nil {
				var names []string
				for _, o := range f.Offenders {
					names = append(names, v.t.nameOf(f.Chain, o))
				}
				p = &progress{line: fmt.Sprintf("%s of %s in epoch %d of %s", f.Kind, strings.Join(names, ", "), f.Epoch, f.Chain)}
				seen[id], order = p, append(order, id)
			}
			p.recorded++
			if f.Executed {
				p.slashed++
			}
		}
	}
	if len(order) == 0 {
		return []string{"  no faults"}
	}
	for _, id := range order {
		p := seen[id]
		lines = append(lines, fmt.Sprintf("  %s: frozen on %d, slashed on %d of %d ledgers", p.line, p.recorded, p.slashed, len(v.t.Chains)))
	}
	return lines
}
