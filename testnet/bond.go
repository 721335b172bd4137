package testnet

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// bonding is what has to be ordered on one chain before its stake stands behind
// the others: a deposit for each validator, and its pledges. The operations are
// always the same bytes, so that an interrupted bonding goes on where it was.
type bonding struct {
	chain *Chain
	ops   []bondingOp // in the order in which nonces want them
}

type bondingOp struct {
	encoded []byte
	what    string
	done    func(*api.Ledger) bool
}

// newBonding signs everything for one chain.
func (t *Testnet) newBonding(c *Chain) (*bonding, error) {
	network, err := t.networkID()
	if err != nil {
		return nil, err
	}
	authority, err := t.authorityKey(c.ID)
	if err != nil {
		return nil, err
	}
	b := &bonding{chain: c}
	add := func(op *ledger.Operation, err error, key ed25519.PrivateKey, what string, done func(*api.Ledger) bool) error {
		if err == nil {
			err = op.Sign(network, c.ID, key)
		}
		if err != nil {
			return err
		}
		encoded, err := ledger.EncodeOperation(op)
		b.ops = append(b.ops, bondingOp{encoded, what, done})
		return err
	}
	for i, n := range c.Nodes {
		op, err := ledger.NewDeposit(uint64(i), n.Account, ledger.Units(depositAmount))
		if err := add(op, err, authority, "deposit for "+n.Name, deposited(len(c.Nodes), i+1)); err != nil {
			return nil, err
		}
	}
	for i, n := range c.Nodes {
		key, err := t.accountKey(n)
		if err != nil {
			return nil, err
		}
		var nonce uint64
		for _, other := range t.Chains {
			if other == c {
				continue
			}
			op, err := ledger.NewPledge(n.Account, nonce, other.ID, other.Nodes[i].Account, ledger.Units(pledgeAmount), pledgeRatio)
			what := fmt.Sprintf("pledge of %s to %s", n.Name, other.Nodes[i].Name)
			if err := add(op, err, key, what, nonceUsed(n.Account, nonce)); err != nil {
				return nil, err
			}
			nonce++
		}
	}
	return b, nil
}

func (t *Testnet) networkID() (attest.Network, error) {
	b, err := hex.DecodeString(t.Network)
	if err != nil || len(b) != 32 {
		return attest.Network{}, fmt.Errorf("%s: the network is not 64 hex digits", t.path(descriptionFile))
	}
	return attest.Network(b), nil
}

// deposited: a ledger that began with so many validators got that many deposits.
func deposited(validators, deposits int) func(*api.Ledger) bool {
	want := uint256.NewInt(uint64(validators)*genesisCollateral + uint64(deposits)*depositAmount)
	return func(l *api.Ledger) bool { return !l.Totals.Deposited.Int().Lt(want) }
}

// nonceUsed: an account's operation of that nonce went through.
func nonceUsed(id ledger.AccountID, nonce uint64) func(*api.Ledger) bool {
	return func(l *api.Ledger) bool {
		i := slices.IndexFunc(l.Accounts, func(a ledger.AccountView) bool { return a.ID == id })
		return i >= 0 && l.Accounts[i].Nonce > nonce
	}
}

// missing are the operations that l does not show yet.
func (b *bonding) missing(l *api.Ledger) (left []bondingOp) {
	for _, op := range b.ops {
		if !op.done(l) {
			left = append(left, op)
		}
	}
	return left
}

// bond has all deposits and pledges ordered, on all chains at once, and waits
// until every ledger shows them. They are submitted again for as long as they are
// missing, since a home chain promises nothing. After each look progress is told
// how far it is; its error is the end.
func (o *observer) bond(ctx context.Context, again time.Duration, progress func(done, all int) error) error {
	var plans []*bonding
	all := 0
	for _, c := range o.t.Chains {
		b, err := o.t.newBonding(c)
		if err != nil {
			return err
		}
		plans = append(plans, b)
		all += len(b.ops)
	}
	submitted := map[*bonding]time.Time{}
	left := all
	err := poll(ctx, time.Second, func() (bool, error) {
		left = 0
		for _, b := range plans {
			client := o.clients[b.chain.Nodes[0].Name]
			l, err := client.Ledger(ctx, b.chain.ID)
			if err != nil {
				left += len(b.ops)
				continue // not now
			}
			missing := b.missing(&l)
			left += len(missing)
			if len(missing) == 0 || time.Since(submitted[b]) < again {
				continue
			}
			submitted[b] = time.Now()
			for _, op := range missing {
				if _, err := client.Submit(ctx, op.encoded); err != nil {
					break // the rest would come out of order
				}
			}
		}
		return left == 0, progress(all-left, all)
	})
	if errors.Is(err, errStoppedElsewhere) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%d of %d deposits and pledges are missing: %w%s", left, all, err, o.refusal(plans))
	}
	return nil
}

// refusal says why an operation that is missing was refused, if one was.
func (o *observer) refusal(plans []*bonding) string {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	for _, b := range plans {
		for _, op := range b.ops {
			r, err := o.clients[b.chain.Nodes[0].Name].Receipt(ctx, ledger.OperationID(op.encoded))
			if err == nil && !r.OK {
				return fmt.Sprintf(" (%s was refused: %s)", op.what, r.Reason)
			}
		}
	}
	return ""
}

// countsEverywhere says that on every ledger the stake of every other chain gives
// power, wherever it still can.
func (v *view) countsEverywhere() bool {
	for _, c := range v.t.Chains {
		l, ok := v.ledgers[c.ID]
		if !ok || len(l.Peers) != len(v.t.Chains)-1 {
			return false
		}
		for _, p := range l.Peers {
			if p.Virtual.IsZero() && v.canCount(l, p) {
				return false
			}
		}
	}
	return true
}

// canCount: a testnet that is resumed may have had its faults. Nothing of a halted
// chain counts, nor what stands behind validators that were convicted.
func (v *view) canCount(consumer api.Ledger, p ledger.PeerView) bool {
	if p.Halted != "" {
		return false
	}
	return slices.ContainsFunc(v.ledgers[p.Chain].Liens, func(lien ledger.LienView) bool {
		return lien.Consumer == consumer.Chain && !lien.Amount.IsZero() &&
			!slices.ContainsFunc(consumer.Faults, func(f ledger.FaultView) bool {
				return f.Chain == consumer.Chain && slices.Contains(f.Offenders, lien.Validator)
			})
	})
}

// later says that every ledger is two epochs beyond what it was in old. After a rest it
// then knows what time it is: the first block still bears the time of the last one
// before.
func (v *view) later(old *view) bool {
	for _, c := range v.t.Chains {
		if v.ledgers[c.ID].Epoch < old.ledgers[c.ID].Epoch+2 {
			return false
		}
	}
	return true
}

// finalEverywhere says that every ledger has these epochs of all other chains as
// final, but for those that it has halted.
func (v *view) finalEverywhere(epochs map[string]uint64) bool {
	for _, c := range v.t.Chains {
		for _, p := range v.ledgers[c.ID].Peers {
			if p.Halted == "" && p.Final < epochs[p.Chain] {
				return false
			}
		}
	}
	return true
}
