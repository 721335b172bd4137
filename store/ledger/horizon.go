package ledger

// Horizon is how long what happened on a chain can still matter to any ledger of the
// network: stake that was released just after it stays slashable for an unbonding
// time, and an offence that it answers for can come to light for an evidence age more.
func (m *Manifest) Horizon() Window {
	var w Window
	for _, c := range m.Chains {
		p := &c.Params
		w.Time = max(w.Time, p.Unbonding.Time+p.EvidenceAge.Time+p.Correlation.Time)
		w.Epochs = max(w.Epochs, p.Unbonding.Epochs+p.EvidenceAge.Epochs+p.ChallengeWindow.Epochs+p.Correlation.Epochs)
	}
	return w
}
