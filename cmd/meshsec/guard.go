package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store/guard"
)

// guardKinds are what a validator signs: the kinds of guard.Slot.
var guardKinds = [...]string{"checkpoint", "cross"}

func newGuard() *cobra.Command {
	cmd := newGroup("guard", "Move and repair the memory of what a key has signed",
		newGuardExport(), newGuardImport(), newGuardRaise())
	cmd.Long = `The guard remembers what a validator's key has signed, so that it never signs against
itself. These commands need the node to be stopped: one process at a time has it open.`
	return cmd
}

// ownGuard is the guard that a configuration names.
type ownGuard struct {
	dir     string
	key     [48]byte
	network attest.Network
	chain   string
}

// guardOf finds the guard of a node's validator. It needs no password.
func guardOf(at *place) (*ownGuard, error) {
	c, err := at.load()
	if err != nil {
		return nil, err
	}
	if c.Validator.Keystore == "" {
		return nil, errors.New("this node has no validator, and so no guard: set validator.keystore in its configuration")
	}
	key, err := keystoreKey(c.Validator.Keystore)
	if err != nil {
		return nil, err
	}
	m, err := node.LoadManifest(c.Manifest)
	if err != nil {
		return nil, err
	}
	return &ownGuard{c.Validator.Guard, key.Bytes(), m.ID(), c.Chain}, nil
}

// use opens the guard, first making an empty one if create is set and there is none.
func (o *ownGuard) use(create bool, f func(*guard.Guard) error) error {
	if create {
		if err := guard.Create(o.dir, o.key, o.network.String()); err != nil && !errors.Is(err, guard.ErrExists) {
			return err
		}
	}
	g, err := guard.Open(o.dir, o.key, o.network.String())
	if err != nil {
		return err
	}
	return errors.Join(f(g), g.Close())
}

func newGuardExport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export FILE", Short: "Write what a key has signed to a file", Args: words("FILE"),
		Long: `Writes all that the guard knows to a new file, in the interchange format of EIP-3076.
It is for moving a key to another machine. Never start the node here again after
that: what it signs later is not in the file.`,
		Example: `meshsec guard export --home /srv/mesh guard.json`,
	}
	var at place
	at.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		own, err := guardOf(&at)
		if err != nil {
			return err
		}
		return own.use(false, func(g *guard.Guard) error {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			if err := errors.Join(g.Export(f), f.Sync(), f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d signatures on record, written to %s\n", g.Len(), args[0])
			return err
		})
	}
	return cmd
}

func newGuardImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Add to the guard what a file says the key has signed", Args: words("FILE"),
		Long: `Reads a file of the interchange format of EIP-3076 into the guard, which is made if
there is none. It only ever adds to what is refused.

The file must have been written after the key's last signature elsewhere.`,
		Example: `meshsec guard import --home /srv/mesh guard.json`,
	}
	var at place
	at.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		own, err := guardOf(&at)
		if err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		return own.use(true, func(g *guard.Guard) error {
			merge, err := g.Import(f)
			if err != nil {
				return err
			}
			if n := len(merge.Conflicts); n > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d slots differ between the guard and the file, such as %v: this key may have signed twice\n", n, merge.Conflicts[0].Slot)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d signatures added, %d on record\n", merge.Added, g.Len())
			return err
		})
	}
	return cmd
}

func newGuardRaise() *cobra.Command {
	cmd := &cobra.Command{
		Use: "raise", Short: "Refuse to sign anything below an epoch", Args: words(),
		Long: `Refuses all signatures of the home chain below an epoch, for ever: what it takes to
use a key again whose guard was lost. The epoch must be above all that the key may
have signed: the chain's present one and a good margin. With --new-guard an empty
guard is made first.`,
		Example: `meshsec guard raise --home /srv/mesh --new-guard --below 5000`,
	}
	var at place
	var below uint64
	var create bool
	at.flags(cmd)
	cmd.Flags().Uint64Var(&below, "below", 0, "first epoch that may be signed (required)")
	cmd.Flags().BoolVar(&create, "new-guard", false, "make the guard, which is lost")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "below"); err != nil {
			return err
		}
		if below == 0 {
			return misuse(cmd, "--below is 0, which refuses nothing: give the first epoch that may be signed")
		}
		own, err := guardOf(&at)
		if err != nil {
			return err
		}
		return own.use(create, func(g *guard.Guard) error {
			for _, kind := range guardKinds {
				if err := g.Prune(own.chain, kind, below); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "nothing of %s below epoch %d will be signed\n", own.chain, g.Watermark(own.chain, guardKinds[0]))
			return err
		})
	}
	return cmd
}
