package ledger

import "testing"

// A third that is convicted of hundreds of epochs makes as many failures. Each draw looks at
// every backstop behind their chain; they do not fill the queue, in which the slashes of
// everybody else would wait for the last of them.
func TestOneDrawAtATimeWaitsForItsTurn(t *testing.T) {
	c := newCrowd(t, mapState{}, 2)
	const failures = 3
	c.step(func() error {
		for checkpoint := range uint64(failures) {
			if err := c.openFailure("beta", checkpoint, [32]byte{1}, moment{checkpoint + 1, 1}); err != nil {
				return err
			}
			f, err := must[Failure](c.tx, failureKey("beta", checkpoint))
			if err != nil {
				return err
			}
			f.Covered = 1
			if err := save(c.tx, failureKey("beta", checkpoint), f); err != nil {
				return err
			}
			if err := save(c.tx, failureCoverKey("beta", checkpoint), &Cover{Value: Units(1000), Pool: Units(1000)}); err != nil {
				return err
			}
		}
		return nil
	})
	c.epoch += 1 << 20
	c.now += 1 << 40
	for drawn := range uint64(failures) {
		for range 3 {
			c.step(func() error { return c.settleFailure("beta") })
			if n, err := queueList.length(c.state); err != nil || n != drawn+1 {
				t.Fatalf("%d draws are queued after %d were executed, %v", n, drawn, err)
			}
		}
		c.step(func() error {
			_, err := c.executeSlashes(new(Spent))
			return err
		})
	}
}

// A backstop pays for each statement at most its ratio of that, whichever failure of the
// chain is settled first: what was drawn counts as paid for the statements from before, and
// for no other.
func TestADrawCountsForTheStatementsBeforeIt(t *testing.T) {
	const (
		old   = 1000 // in the statements before the first draw
		ratio = One / 2
	)
	for name, c := range map[string]struct {
		order []uint64 // of the statements that the draws capture: epochs of ours
		want  []uint64 // what each of them takes
	}{
		"once for each":          {[]uint64{2, 12}, []uint64{500, 250}},
		"the old one again":      {[]uint64{2, 12, 3}, []uint64{500, 250, 0}},
		"the new one again":      {[]uint64{2, 12, 13}, []uint64{500, 250, 0}},
		"both old":               {[]uint64{2, 3}, []uint64{500, 0}},
		"the newest of them all": {[]uint64{2, 12, 22}, []uint64{500, 250, 125}},
		"an old one in between":  {[]uint64{2, 3, 12, 3, 22, 13}, []uint64{500, 0, 250, 0, 125, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newCrowd(t, mapState{}, 2)
			m.deposit(1)
			m.step(func() error {
				v, err := loadVault(m.tx, number(1))
				if err != nil {
					return err
				}
				if err := m.addPart(v, "beta", Backstop, Units(old).Int(), ratio, Units(1<<40).Int()); err != nil {
					return err
				}
				v.assume()
				return m.saveVault(v, true)
			})
			for i, statement := range c.order {
				m.epoch = max(m.epoch, statement+3)
				d := Draw{Reference: statement + 1, Covered: Units(1 << 30), Pool: Units(1)} // all that there is
				m.step(func() error { return m.slash(number(1), "beta", Backstop, [32]byte{}, d.due) })
				n, err := slashList.length(m.state)
				if err != nil {
					t.Fatal(err)
				}
				taken := zero()
				if n > 0 {
					s, err := must[Slash](m.state, slashList.item(n-1))
					if err != nil {
						t.Fatal(err)
					}
					if s.Epoch == m.epoch {
						taken = Amount(s.Amount).Int()
					}
				}
				if taken.Uint64() != c.want[i] {
					t.Errorf("draw %d, on the statement of epoch %d, took %v, want %d", i, statement, taken, c.want[i])
				}
				m.epoch += 5
			}
		})
	}
}
