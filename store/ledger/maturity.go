package ledger

// maturity tells at one moment of a ledger what has left and answers for nothing
// any more.
type maturity struct {
	view   View
	home   string
	window Window // of unbonding
	epoch  uint64
	now    uint64
}

func (m *machine) maturity() maturity {
	return maturity{m.tx, m.spec.ID, m.params.Unbonding, m.epoch, m.now}
}

// passed reports whether what was given up behind validator in our epoch at time can no
// longer be captured: the unbonding window has passed, no slash of the validator waits,
// and this ledger has followed the consumer that far, so that no offence it could answer
// for is still unknown. A halted consumer is not followed: from its halt on our own clock
// counts, so that a dead peer locks nothing for ever. A backstop stays until every
// failure of its consumer is settled.
func (m maturity) passed(consumer string, validator AccountID, epoch, time uint64) (bool, error) {
	if !m.window.Passed(epoch, time, m.epoch, m.now) {
		return false, nil
	}
	if frozen, err := counter(m.view, frozenKey(consumer, validator)); err != nil || frozen > 0 {
		return false, err
	}
	if consumer == m.home {
		return true, nil
	}
	if validator == Backstop {
		if open, err := failing(m.view, consumer); err != nil || open {
			return false, err
		}
	}
	peer, err := must[Peer](m.view, peerKey(consumer))
	if err != nil {
		return false, err
	}
	if peer.Halted != 0 {
		return m.window.Passed(max(epoch, peer.HaltedAt), max(time, peer.HaltedTime), m.epoch, m.now), nil
	}
	return peer.Time >= time+uint64(m.window.Time), nil
}

// dropMatured removes unbonding entries and history that have matured; v has been
// settled.
func (v *vault) dropMatured(m maturity) error {
	for _, l := range v.liens {
		for _, p := range l.parts {
			keep := p.unbonding[:0]
			for _, u := range p.unbonding {
				gone, err := m.passed(l.consumer, p.validator, u.epoch, u.time)
				if err != nil {
					return err
				}
				if !gone {
					keep = append(keep, u)
				}
			}
			p.unbonding = keep
			if err := p.forget(m, l.consumer); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget drops the history that can no longer be captured.
func (p *part) forget(m maturity, consumer string) error {
	for len(p.captured) > 1 {
		gone, err := m.passed(consumer, p.validator, p.captured[1].Epoch, p.captured[1].Time)
		if err != nil || !gone {
			return err
		}
		p.captured = p.captured[1:]
	}
	return nil
}
