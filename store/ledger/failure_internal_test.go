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
