package ledger

import "fmt"

// What the authority decides (DESIGN §3.3): the chain's rules, and how stake of its
// peers counts. Deposits, escrow and trust are beside what they change.

// Validate checks terms: one line that says what is wrong.
func (t *Terms) Validate() error {
	switch {
	case t.Price == 0 || t.Price > MaxPrice:
		return fmt.Errorf("the price must be above 0 and at most %v", Ratio(MaxPrice))
	case t.Discount >= One:
		return fmt.Errorf("the discount must be below 1")
	}
	return nil
}

// MaxPrice keeps the price of any amount within 256 bits.
const MaxPrice = 18 * One

// setPeer changes how stake of a provider counts, from the next set on: a higher price
// or cap is this chain's own risk, a lower one binds nobody.
func (m *machine) setPeer(s *SetPeer) error {
	chain := string(s.Chain)
	if _, err := m.peer(chain); err != nil {
		return err
	}
	if err := s.Terms.Validate(); err != nil {
		return refuse(CodeInvalid, "%v", err)
	}
	return save(m.tx, termsKey(chain), &s.Terms)
}

// setParams changes the rules when the epoch ends, or once an unbonding time of the old
// ones has passed, if somebody who relied on those would be bound or robbed by the new
// ones any sooner. The rules in force take back what waits.
func (m *machine) setParams(s *SetParams) error {
	if err := s.Params.Validate(); err != nil {
		return refuse(CodeInvalid, "%v", err)
	}
	if err := m.manifest.checkWindows(&s.Params); err != nil {
		return refuse(CodeInvalid, "%v", err)
	}
	if s.Params == *m.params { // takes back what waits, if anything does
		old, err := load[PendingParams](m.tx, pendingKey)
		if err != nil {
			return err
		}
		if old == nil || old.Params == *m.params {
			return refuse(CodeDuplicate, "these parameters are in force")
		}
	}
	return save(m.tx, pendingKey, &PendingParams{Params: s.Params, Epoch: m.epoch, Time: m.now})
}

// adoptParams puts pending parameters in force, at the end of an epoch. What waited and
// is in force, or was replaced, says so by being equal to what is in force.
func (m *machine) adoptParams() error {
	p, err := load[PendingParams](m.tx, pendingKey)
	if err != nil || p == nil || p.Params == *m.params {
		return err
	}
	if m.params.Binding(&p.Params) && !m.params.Unbonding.Passed(p.Epoch, p.Time, m.epoch, m.now) {
		return nil
	}
	return save(m.tx, paramsKey, &p.Params)
}

// Binding reports whether a change from p to q waits for one unbonding time of p. It
// does if it reaches farther, to those who pledged, registered or relied on this ledger
// under p: evidence counts for longer or a wider correlation, backstops stand for more,
// a reporter takes more; or protects less: penalties are lower, stake leaves or a
// challenge ends sooner.
func (p *Params) Binding(q *Params) bool {
	longer := q.StatementExpiry > p.StatementExpiry || p.Unbonding.shorter(q.Unbonding) ||
		q.CoveredValue.Int().Gt(p.CoveredValue.Int()) || q.ReporterReward > p.ReporterReward || q.MaxDrift > p.MaxDrift
	shorter := q.Unbonding.shorter(p.Unbonding) || q.ChallengeWindow.shorter(p.ChallengeWindow)
	return longer || shorter || q.EvidenceAge != p.EvidenceAge || q.Correlation != p.Correlation || q.Penalty != p.Penalty || q.Downtime != p.Downtime || q.Limits != p.Limits
}
