package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
)

// orders proves that the validators of the home chain certified other operations than
// their chain ordered. Only a node that follows that chain can see it, by its own result;
// with the proof everybody can (DESIGN §5). Safe for concurrent use.
type orders struct {
	home *home
	loop *loop
}

// accuse compares a certified epoch, of which a peer says that entry is the journal's, with
// the blocks of the home chain, and hands what contradicts it to the council. It says what
// is wrong; nothing if no block contradicts it, or if the epoch is another chain's. The
// error is also that entry does not hold the certified transcript.
func (o *orders) accuse(ctx context.Context, cert attest.VerifiedCertificate, entry *store.Entry) (wrong string, err error) {
	if cert.ChainID() != o.home.spec.ID {
		return "", nil
	}
	if entry.Transcript == nil || entry.Input == nil {
		return "", fmt.Errorf("%w: something is missing", store.ErrInput)
	}
	if root, err := entry.Transcript.HashTreeRoot(); err != nil || root != cert.Checkpoint().OpsRoot {
		return "", fmt.Errorf("%w: the transcript is another one", store.ErrInput)
	}
	set, err := o.home.execution.store.Set(cert.ChainID(), cert.Epoch())
	if err != nil {
		return "", err
	}
	proof, err := attest.FindInvalidOperations(set, cert.Certificate(), o.blocks(ctx, cert), entry.Transcript.Steps, entry.Input.Operations())
	if errors.Is(err, attest.RuleContradiction) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	accusation, err := attest.Peek(proof)
	if err != nil {
		return "", err
	}
	wrong = fmt.Sprintf("the certified operations are not those of block %d", accusation.Height)
	return wrong, tell(ctx, o.loop, func(c *council, _ time.Time) { c.proofs(set, proof) })
}

// blocks are those of an epoch, from its last one back, each fetched when it is asked for.
func (o *orders) blocks(ctx context.Context, cert attest.VerifiedCertificate) iter.Seq2[attest.HomeBlock, error] {
	return func(yield func(attest.HomeBlock, error) bool) {
		last := cert.Checkpoint().Height
		first := max(last-min(last, min(o.home.spec.EpochBlocks, attest.MaxTrail+1))+1, 1)
		for height := last; height >= first; height-- {
			if b, err := o.block(ctx, height); !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (o *orders) block(ctx context.Context, height uint64) (b attest.HomeBlock, err error) {
	c, err := o.home.connected()
	if err != nil {
		return b, err
	}
	signed, err := c.SignedHeader(ctx, height)
	if err != nil {
		return b, err
	}
	b.Header = signed.Header
	b.Transactions, err = c.Transactions(ctx, height)
	return b, err
}
