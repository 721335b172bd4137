package store_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/ledger/ledgertest/twin"
)

// A bank is two real ledgers on which value moves all the time: deposits, pledges,
// releases and withdrawals of a dozen accounts, and a validator who is slashed every
// few epochs. What an epoch brings follows from the chain and the epoch, so that the
// twin knows it without asking the store that was killed.
type bank struct {
	*ledgertest.Network
	keys map[ledger.AccountID]ed25519.PrivateKey
	ids  []ledger.AccountID
}

const (
	bankValidators = 8
	bankFaults     = 5 // epochs from one fault to the next
)

var newBank = sync.OnceValue(func() *bank {
	b := &bank{keys: map[ledger.AccountID]ed25519.PrivateKey{}}
	b.Network = ledgertest.New(2, bankValidators, func(m *ledger.Manifest) {
		for _, c := range m.Chains {
			p := &c.Params
			p.ChallengeWindow, p.StatementExpiry, p.EvidenceAge = ledger.Window{Epochs: 2}, 1000, ledger.Window{Time: 30_000}
			p.Unbonding, p.Correlation, p.MinLien = ledger.Window{Epochs: 2, Time: 32_000}, ledger.Window{Epochs: 3}, ledger.Units(10)
		}
	})
	for i := range 12 {
		seed := sha256.Sum256(fmt.Appendf(nil, "bank/%d", i))
		key := ed25519.NewKeyFromSeed(seed[:])
		b.keys[ledger.AccountOf(key)], b.ids = key, append(b.ids, ledger.AccountOf(key))
	}
	return b
})

func (b *bank) chain(id string) *ledgertest.Chain {
	for _, c := range b.Chains {
		if c.ID == id {
			return c
		}
	}
	panic("no chain " + id)
}

// events are what an epoch brings: at most one of each account.
func (b *bank) events(chain string, epoch uint64) []twin.Event {
	seed := sha256.Sum256(fmt.Appendf(nil, "bank/%s/%d", chain, epoch))
	rng := rand.New(rand.NewChaCha8(seed))
	var out []twin.Event
	for _, i := range rng.Perm(len(b.ids))[:4] {
		id, x := b.ids[i], big.NewInt(1+rng.Int64N(10_000))
		consumer := b.Chains[rng.IntN(2)]
		validator := consumer.Validators[rng.IntN(bankValidators)].ID
		switch rng.IntN(8) {
		case 0, 1:
			out = append(out, twin.Deposit{Account: id, Amount: x})
		case 2:
			out = append(out, twin.Withdraw{Account: id, Amount: x})
		case 3:
			out = append(out, twin.Release{Account: id, Consumer: consumer.ID, Validator: validator, Amount: x})
		default:
			out = append(out, twin.Pledge{Account: id, Consumer: consumer.ID, Validator: validator, Amount: x, Ratio: ledger.One / 4})
		}
	}
	return out
}

// offender is the validator whose double vote an epoch proves, that of the epoch
// before; nil if there is none. The last validator never does it.
func (b *bank) offender(chain string, epoch uint64) *ledgertest.Validator {
	i := epoch / bankFaults
	if epoch%bankFaults != 0 || i == 0 || i >= bankValidators {
		return nil
	}
	return b.chain(chain).Validators[i-1]
}

// operations are the events of an epoch, signed with the nonces that a ledger has.
func (b *bank) operations(chain string, epoch uint64, r *ledger.Reader) ([]*ledger.Operation, error) {
	meta, err := r.Meta()
	if err != nil {
		return nil, err
	}
	order := meta.AuthorityNonce
	var ops []*ledger.Operation
	for _, e := range b.events(chain, epoch) {
		op, signer, err := b.operation(e, order, func(id ledger.AccountID) uint64 {
			a, _, _ := r.Account(id)
			return a.Nonce
		})
		if err != nil {
			return nil, err
		}
		if signer == nil {
			signer = b.chain(chain).Authority
			order++
		}
		if err := op.Sign(b.ID, chain, signer); err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// operation is not signed yet; signer is nil for the authority.
func (b *bank) operation(e twin.Event, order uint64, nonce func(ledger.AccountID) uint64) (op *ledger.Operation, signer ed25519.PrivateKey, err error) {
	amount := func(x *big.Int) ledger.Amount { return ledger.NewAmount(uint256.MustFromBig(x)) }
	switch e := e.(type) {
	case twin.Deposit:
		op, err = ledger.NewDeposit(order, e.Account, amount(e.Amount))
		return op, nil, err
	case twin.Withdraw:
		op, err = ledger.NewWithdraw(e.Account, nonce(e.Account), amount(e.Amount))
		return op, b.keys[e.Account], err
	case twin.Pledge:
		op, err = ledger.NewPledge(e.Account, nonce(e.Account), e.Consumer, e.Validator, amount(e.Amount), ledger.Ratio(e.Ratio))
		return op, b.keys[e.Account], err
	case twin.Release:
		op, err = ledger.NewRelease(e.Account, nonce(e.Account), e.Consumer, e.Validator, amount(e.Amount))
		return op, b.keys[e.Account], err
	}
	return nil, nil, fmt.Errorf("%T is no operation", e)
}

// next executes the epoch after a store's head on its tree.
func (b *bank) next(s *store.Store, chain string) (*ledger.Result, error) {
	head := s.Head(chain)
	tree, err := s.Tree(chain)
	if err != nil {
		return nil, err
	}
	r, err := ledger.NewReader(b.Manifest, chain, tree)
	if err != nil {
		return nil, err
	}
	epoch := head.Epoch + 1
	ops, err := b.operations(chain, epoch, r)
	if err != nil {
		return nil, err
	}
	if v := b.offender(chain, epoch); v != nil {
		set, err := s.Set(chain, head.Epoch)
		if err != nil {
			return nil, err
		}
		proof, err := b.DoubleVote(set, head.Checkpoint, v)
		if err != nil {
			return nil, err
		}
		op, err := ledger.NewSubmitFault(&ledger.SubmitFault{Reporter: b.ids[0], Proof: *proof, Set: *set.ValidatorSet()})
		if err != nil {
			return nil, err
		}
		ops = append([]*ledger.Operation{op}, ops...)
	}
	in, err := ledgertest.Input(b.Manifest.Chain(chain), head.Checkpoint, ops...)
	if err != nil {
		return nil, err
	}
	return ledger.Execute(b.Manifest, head.Checkpoint, tree, in)
}

// childBank runs both chains at once until it is killed, and says what is done.
func childBank(dir string) error {
	b := newBank()
	s, err := store.Open(dir, b.Manifest, store.Options{KeepVersions: crashKeep})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, c := range b.Chains {
		go func() {
			for {
				r, err := b.next(s, c.ID)
				if err == nil {
					fmt.Println("begin", c.ID, r.Checkpoint.Epoch)
					err = s.Commit(c.ID, r)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Println("epoch", c.ID, r.Checkpoint.Epoch)
			}
		}()
	}
	return <-failed
}

// twin is a chain's ledger after an epoch, from what the epochs bring alone. The
// store is asked for nothing but the sets, of which the shares of power are taken.
func (b *bank) twin(t *testing.T, s *store.Store, chain string, head uint64) *twin.Ledger {
	t.Helper()
	spec := b.Manifest.Chain(chain)
	var history []twin.Event
	for _, a := range spec.Accounts {
		history = append(history, twin.Deposit{Account: a.ID, Amount: a.Collateral.Int().ToBig()})
		for _, l := range a.Liens {
			history = append(history, twin.Pledge{Account: a.ID, Consumer: l.Consumer, Validator: l.Validator, Amount: l.Amount.Int().ToBig(), Ratio: uint64(l.Ratio)})
		}
	}
	var peers []string
	for _, c := range b.Chains {
		history = append(history, twin.Followed{Chain: c.ID, Time: ledgertest.GenesisTime})
		if c.ID != chain {
			peers = append(peers, c.ID)
		}
	}
	history = append(history, twin.End{})
	for epoch := uint64(1); epoch <= head; epoch++ {
		first := (epoch-1)*spec.EpochBlocks + 1
		history = append(history, twin.Block{Time: ledgertest.GenesisTime + first*ledgertest.BlockTime})
		if v := b.offender(chain, epoch); v != nil {
			set, err := s.Set(chain, epoch-1)
			must(t, err)
			power, total := powerOf(set, v.ID)
			history = append(history, twin.Fault{
				Chain: chain, Epoch: epoch - 1, Since: ledgertest.GenesisTime + (epoch-2)*spec.EpochBlocks*ledgertest.BlockTime, Base: uint64(spec.Params.Penalty.DoubleVote), Reporter: b.ids[0],
				Offenders: []twin.Offender{{Validator: v.ID, Power: power, Total: total}}, Statements: []uint64{epoch - 2},
			})
		}
		history = append(history, b.events(chain, epoch)...)
		history = append(history, twin.Block{Time: ledgertest.GenesisTime + epoch*spec.EpochBlocks*ledgertest.BlockTime}, twin.End{})
	}
	return twin.Replay(twin.Rules{
		Home: chain, Params: spec.Params, Time: ledgertest.GenesisTime, Peers: peers,
		Pledgeable: func(string, ledger.AccountID) bool { return true }, // events names no others
	}, history)
}

// powerOf is what a validator has of a set's power, and all of it.
func powerOf(set *attest.Set, id ledger.AccountID) (own, total *big.Int) {
	own, total = new(big.Int), new(big.Int)
	for i := range set.Len() {
		power := ledger.Amount(set.At(i).Power).Int().ToBig()
		total.Add(total, power)
		if set.At(i).Account == id {
			own = power
		}
	}
	return own, total
}

// audit compares a store with the twin: every balance, the sums, and whether they
// conserve what was deposited.
func (b *bank) audit(t *testing.T, s *store.Store, chain string) {
	t.Helper()
	head := s.Head(chain).Epoch
	w := b.twin(t, s, chain, head)
	must(t, w.Check())
	tree, err := s.Tree(chain)
	must(t, err)
	r, err := ledger.NewReader(b.Manifest, chain, tree)
	must(t, err)
	got, err := r.Totals()
	must(t, err)
	want := w.Totals()
	for _, x := range []struct {
		name string
		got  ledger.Amount
		want *big.Int
	}{
		{"deposited", got.Deposited, want.Deposited},
		{"collateral", got.Collateral, want.Collateral},
		{"withdrawn", got.Withdrawn, want.Withdrawn},
		{"burned", got.Burned, want.Burned},
		{"in escrow", got.Escrow, new(big.Int)},
	} {
		if x.got.Int().ToBig().Cmp(x.want) != 0 {
			t.Fatalf("%s epoch %d: %v %s, the twin has %v", chain, head, x.got, x.name, x.want)
		}
	}
	accounts, err := r.Accounts()
	must(t, err)
	balances, sum := w.Accounts(), new(big.Int)
	for _, a := range accounts {
		x, ok := balances[a.ID]
		if !ok || a.Collateral.Int().ToBig().Cmp(x.Collateral) != 0 || a.Free.Int().ToBig().Cmp(x.Free) != 0 {
			t.Fatalf("%s epoch %d: %+v, the twin has %+v", chain, head, a, x)
		}
		sum.Add(sum, x.Collateral)
	}
	if len(accounts) != len(balances) || sum.Cmp(want.Collateral) != 0 {
		t.Fatalf("%s epoch %d: %d accounts with %v, the twin has %d with %v", chain, head, len(accounts), sum, len(balances), want.Collateral)
	}
	liens, err := r.Liens()
	must(t, err)
	for _, l := range liens {
		if x := balances[l.Account].Parts[l.Consumer][l.Validator]; l.Amount.Int().ToBig().Cmp(x.Amount) != 0 || l.Slashed.Int().ToBig().Cmp(x.Taken) != 0 {
			t.Fatalf("%s epoch %d: %+v, the twin has %+v", chain, head, l, x)
		}
	}
}

// bankRounds is how often one store is killed before the next one begins: then all
// validators but the last were slashed.
const bankRounds = 8

// Both chains of a bank run at once in a child that is killed at a random moment, again
// and again. What it acknowledged is there; the journal is unbroken; running it again
// gives the same roots; and every balance is that of the twin, who was never killed.
func TestNoValueIsLostWhenKilled(t *testing.T) {
	b := newBank()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds, epochs, slashes := 3*crashRounds(t), uint64(0), uint64(0)
	var dir string
	for round := range rounds {
		if round%bankRounds == 0 {
			dir = filepath.Join(t.TempDir(), fmt.Sprint(round))
		}
		said := killed(t, "bank", dir, time.Duration(rng.IntN(150))*time.Millisecond)
		s, err := store.Open(dir, b.Manifest, store.Options{KeepVersions: crashKeep})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, c := range b.Chains {
			head := s.Head(c.ID).Epoch
			if acknowledged, begun := said["epoch"][c.ID], said["begin"][c.ID]; head < acknowledged || begun != 0 && head > begun {
				t.Fatalf("round %d: %s is at epoch %d, acknowledged was %d, begun %d", round, c.ID, head, acknowledged, begun)
			}
			must(t, errors.Join(s.Verify(context.Background(), c.ID), s.Replay(context.Background(), c.ID)))
			b.audit(t, s, c.ID)
			if round%bankRounds == bankRounds-1 || round == rounds-1 {
				tree, err := s.Tree(c.ID)
				must(t, err)
				r, err := ledger.NewReader(b.Manifest, c.ID, tree)
				must(t, err)
				n, err := r.SlashCount()
				must(t, err)
				epochs, slashes = epochs+head, slashes+n
			}
		}
		must(t, s.Close())
	}
	t.Logf("killed %d times in %d epochs with %d slashes", rounds, epochs, slashes)
	if slashes == 0 {
		t.Error("nobody was slashed")
	}
}
