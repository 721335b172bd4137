package ledger

import (
	"bytes"
	"testing"
)

// counted is a state that counts its reads.
type counted struct {
	mapState
	reads int
}

func (c *counted) Get(key []byte) ([]byte, bool, error) {
	c.reads++
	return c.mapState.Get(key)
}

// TestStepTouchesARecordOnce holds a step to one read, one decoding, one unit of cost and
// one write of a record, however often a rule loads and saves it.
func TestStepTouchesARecordOnce(t *testing.T) {
	before, err := (&Peer{Accepted: 1}).MarshalSSZ()
	if err != nil {
		t.Fatal(err)
	}
	state := &counted{mapState: mapState{"peer/beta": before}}
	kept := bytes.Clone(before)
	tx := new(txn)
	for step := uint64(0); step < 2; step++ { // the second in the memory of the first
		tx.begin(state)
		state.reads = 0
		for i := uint64(1); i <= 3; i++ {
			peer, err := must[Peer](tx, peerKey("beta"))
			if err != nil || peer.Accepted != 3*step+i {
				t.Fatalf("step %d: load %d has %+v, %v", step, i, peer, err)
			}
			peer.Accepted++
			if err := save(tx, peerKey("beta"), peer); err != nil {
				t.Fatal(err)
			}
		}
		none, err := load[Peer](tx, peerKey("gamma"))
		if err != nil || none != nil {
			t.Fatalf("a record from nowhere: %+v, %v", none, err)
		}
		if tx.cost() != 2 || state.reads != 2 {
			t.Fatalf("step %d: cost %d, %d reads, want 2 and 2", step, tx.cost(), state.reads)
		}
		if got := state.mapState["peer/beta"]; !bytes.Equal(got, kept) {
			t.Fatalf("step %d: the state changed before the commit", step)
		}
		raw, _, err := tx.Get(peerKey("beta"))
		if err != nil {
			t.Fatal(err)
		}
		kept = bytes.Clone(raw)
		if err := tx.commit(); err != nil {
			t.Fatal(err)
		}
		if got := state.mapState["peer/beta"]; !bytes.Equal(got, kept) {
			t.Fatalf("step %d: the state has %x, the step said %x", step, got, kept)
		}
	}
}
