package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// order is what all commands that send an operation have in common: from the key to
// the receipt.
type order struct {
	target
	noWait  bool
	timeout time.Duration
	asJSON  *bool

	effect string // when and how the operation counts, where its receipt does not say; set by build
}

func (o *order) flags(cmd *cobra.Command) {
	o.target.flags(cmd)
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "return when the chain has taken the operation, before it is executed")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for the receipt")
	o.asJSON = jsonFlag(cmd)
}

// outcome is what a command that sends an operation prints.
type outcome struct {
	Operation ledger.HexBytes     `json:"operation"` // its id
	Kind      string              `json:"kind"`
	Chain     string              `json:"chain"`
	Receipt   *api.Receipt        `json:"receipt"` // null with --no-wait
	Effect    string              `json:"effect,omitempty"`
	Account   *ledger.AccountView `json:"account"` // afterwards; null while there is none
	Liens     []ledger.LienView   `json:"liens"`   // of the account, afterwards
}

// send makes an operation for the node's home chain with build, submits it, waits
// for the receipt, and prints what happened to the account. A refusal is an error.
func (o *order) send(cmd *cobra.Command, id ledger.AccountID, build func(context.Context, *session) (*ledger.Operation, error)) error {
	ctx := cmd.Context()
	s, err := o.open(ctx)
	if err != nil {
		return err
	}
	op, err := build(ctx, s)
	if err != nil {
		return err
	}
	opID, err := s.submit(ctx, op)
	if err != nil {
		return err
	}
	done := outcome{Operation: opID[:], Kind: ledger.Kind(op.Kind).String(), Chain: s.chain, Effect: o.effect, Liens: []ledger.LienView{}}
	if !o.noWait {
		if err := done.complete(ctx, s, o.timeout, opID, id); err != nil {
			return err
		}
	}
	if *o.asJSON {
		err = printJSON(cmd.OutOrStdout(), done)
	} else {
		err = done.print(cmd.OutOrStdout())
	}
	if err != nil { // whoever takes it for undone would do it twice
		err = fmt.Errorf("the operation was sent, and \"meshsec receipt %x\" says what became of it: %w", opID, err)
	}
	return errors.Join(err, done.refusal())
}

// complete waits for the receipt and reads what the account has become.
func (d *outcome) complete(ctx context.Context, s *session, timeout time.Duration, opID [32]byte, id ledger.AccountID) error {
	r, err := s.await(ctx, timeout, opID)
	if err != nil {
		return err
	}
	d.Receipt = &r
	after, err := s.node.Ledger(ctx, s.chain)
	if err != nil {
		return fmt.Errorf("the operation was executed (%s), but the account can't be read: %w", verdict(r), err)
	}
	d.Account = account(after, id)
	for _, l := range after.Liens {
		if l.Account == id {
			d.Liens = append(d.Liens, l)
		}
	}
	return nil
}

// refusal is an error if the ledger refused the operation.
func (d *outcome) refusal() error {
	if d.Receipt == nil || d.Receipt.OK {
		return nil
	}
	return fmt.Errorf("%s refused in block %d of %s: %s", d.Kind, d.Receipt.Height, d.Chain, d.Receipt.Reason)
}

func verdict(r api.Receipt) string {
	if r.OK {
		return "done"
	}
	return "refused: " + r.Reason
}

func (d *outcome) print(w io.Writer) error {
	if d.Receipt == nil {
		_, err := fmt.Fprintf(w, "%s handed to %s as operation %x; \"meshsec receipt %x\" says what became of it\n", d.Kind, d.Chain, []byte(d.Operation), []byte(d.Operation))
		return err
	}
	if d.Receipt.OK {
		fmt.Fprintf(w, "%s executed in block %d of %s (epoch %d), operation %x\n", d.Kind, d.Receipt.Height, d.Chain, d.Receipt.Epoch, []byte(d.Operation))
		if d.Effect != "" {
			fmt.Fprintln(w, d.Effect)
		}
	}
	if d.Account == nil {
		return nil
	}
	fmt.Fprintln(w)
	if err := printAccounts(w, naming{full: true}, []ledger.AccountView{*d.Account}); err != nil || len(d.Liens) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return printLiens(w, naming{}, d.Liens)
}

// signer is the flag of the key that signs for an account.
type signer struct{ file string }

func (k *signer) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.file, "account-key", "", "file with the account's key (default that of the configuration)")
}

// key reads the account's key.
func (k *signer) key(t *target) (ed25519.PrivateKey, error) {
	path := k.file
	if path == "" {
		c, err := t.optional()
		if err != nil {
			return nil, err
		}
		if c == nil || c.Validator.AccountKey == "" {
			return nil, errors.New("no account key: give its file with --account-key, or set validator.account_key in the configuration")
		}
		path = c.Validator.AccountKey
	}
	return readAccountKey(path)
}

// signed runs an order that the account itself signs.
func (o *order) signed(cmd *cobra.Command, k *signer, build func(id ledger.AccountID, nonce uint64, s *session) (*ledger.Operation, error)) error {
	key, err := k.key(&o.target)
	if err != nil {
		return err
	}
	id := ledger.AccountOf(key)
	return o.send(cmd, id, func(_ context.Context, s *session) (*ledger.Operation, error) {
		nonce, err := s.nonce(id)
		if err != nil {
			return nil, err
		}
		op, err := build(id, nonce, s)
		if err != nil {
			return nil, err
		}
		s.date(op)
		return op, op.Sign(s.network, s.chain, key)
	})
}

// amountFlag is an amount in base units; one _ may separate digits.
type amountFlag struct{ amount ledger.Amount }

func (f *amountFlag) UnmarshalText(b []byte) error {
	parts := strings.Split(string(b), "_")
	if len(parts) > 1 && slices.Contains(parts, "") {
		return fmt.Errorf("amount %q has a _ that is not between two digits", b)
	}
	return f.amount.UnmarshalText([]byte(strings.Join(parts, "")))
}
