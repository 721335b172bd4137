package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/testnet"
)

func newTestnet() *cobra.Command {
	cmd := newGroup("testnet", "Run a whole network on this machine",
		newTestnetUp(), newTestnetDown(), newTestnetStatus(), newTestnetFault(),
		newTestnetKill(), newTestnetStart(), newTestnetTrust(), newTestnetPrepare())
	cmd.Long = `Builds a mesh of several chains in a folder, runs it on this machine, as processes
or in containers, and attacks it.

All ports are on 127.0.0.1. The keys lie unprotected in the folder: this is not a
network to hold value.`
	return cmd
}

// homeFlag defines --home of a testnet.
func homeFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("home", "", "the testnet's folder (default .meshsec/testnet in your home folder)")
}

func testnetHome(flag string) (string, error) {
	if flag != "" {
		return flag, checkHome(flag)
	}
	return testnet.DefaultHome()
}

// loadTestnet reads what was built in a home.
func loadTestnet(flag string) (*testnet.Testnet, error) {
	home, err := testnetHome(flag)
	if err != nil {
		return nil, err
	}
	return testnet.Load(home)
}

// screen shows progress: on standard output where that is all there is to see,
// else on standard error.
func screen(cmd *cobra.Command, onOutput bool) *testnet.Screen {
	out := cmd.ErrOrStderr()
	if onOutput {
		out = cmd.OutOrStdout()
	}
	file := out
	if o, ok := out.(*output); ok {
		file = o.Writer
	}
	f, ok := file.(*os.File)
	return testnet.NewScreen(out, ok && isTerminal(f))
}

func newTestnetUp() *cobra.Command {
	cmd := &cobra.Command{
		Use: "up", Short: "Build a network and run it", Args: words(),
		Long: `Builds a network where there is none, resumes it where there is one, and returns
it ready: stake is bonded and pledged across all chains, counts there, and all nodes
agree. Then it shows a live table until Ctrl-C, which stops everything.

Processes write their logs to the folder logs of the home.`,
		Example: `meshsec testnet up
meshsec testnet up --home /tmp/mesh --chains 4 --validators 7 --detach
meshsec testnet up --docker --home /tmp/mesh-in-docker`,
	}
	home := homeFlag(cmd)
	shape := testnet.Shape{}
	var docker, detach bool
	cmd.Flags().IntVar(&shape.Chains, "chains", 3, fmt.Sprintf("number of chains, up to %d", testnet.MaxChains))
	cmd.Flags().IntVar(&shape.Validators, "validators", 4, fmt.Sprintf("validators of each chain, up to %d", testnet.MaxValidators))
	cmd.Flags().BoolVar(&docker, "docker", false, "run everything in containers")
	cmd.Flags().StringVar(&shape.Image, "image", testnet.DefaultImage, "image of the containers")
	cmd.Flags().BoolVar(&detach, "detach", false, "return when it is ready, and let it run")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := testnetHome(*home)
		if err != nil {
			return err
		}
		if shape.Mode = testnet.Processes; docker {
			shape.Mode = testnet.Docker
		}
		err = adopt(cmd, dir, &shape)
		if errors.Is(err, context.Canceled) && !detach {
			return nil // nothing was made yet
		}
		if err != nil {
			return err
		}
		t, err := testnet.Build(dir, shape, time.Now())
		if err != nil {
			return err
		}
		ctx, release := untilAlone(cmd.Context())
		defer release()
		return t.Up(ctx, detach, screen(cmd, true))
	}
	return cmd
}

// untilAlone is for a command that must not end before it has stopped what it
// started. The context also ends when whoever watches has gone: the terminal was
// closed, or the pipe. And another Ctrl-C does not end the process while it
// stops, which takes a bounded time.
func untilAlone(ctx context.Context) (context.Context, context.CancelFunc) {
	gone := []os.Signal{syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		gone = append(gone, syscall.SIGHUP)
	}
	ctx, release := signal.NotifyContext(ctx, gone...)
	impatient := make(chan os.Signal, 1)
	signal.Notify(impatient, os.Interrupt)
	return ctx, func() {
		signal.Stop(impatient)
		release()
	}
}

// adopt takes from an existing testnet what the command line does not say. Where there
// is none, this machine must be able to run one.
func adopt(cmd *cobra.Command, home string, s *testnet.Shape) error {
	t, err := testnet.Load(home)
	if errors.Is(err, testnet.ErrNoTestnet) {
		return s.CanRun(cmd.Context())
	}
	if err != nil {
		return err
	}
	there, given := t.Shape(), cmd.Flags().Changed
	if !given("chains") {
		s.Chains = there.Chains
	}
	if !given("validators") {
		s.Validators = there.Validators
	}
	if !given("docker") {
		s.Mode = there.Mode
	}
	if !given("image") && there.Image != "" { // a testnet of processes has none
		s.Image = there.Image
	}
	return nil
}

func newTestnetDown() *cobra.Command {
	cmd := &cobra.Command{
		Use: "down", Short: "Stop a network", Args: words(),
		Long: `Stops everything. Processes can be resumed with up, unless --purge removes their
folder. Of containers nothing is left: their volumes hold what the validators have
signed, and without that their keys must not be used again.`,
		Example: `meshsec testnet down --home /tmp/mesh`,
	}
	home := homeFlag(cmd)
	purge := cmd.Flags().Bool("purge", false, "remove the folder with its keys and logs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := testnetHome(*home)
		if err != nil {
			return err
		}
		return testnet.Down(cmd.Context(), dir, *purge, screen(cmd, true))
	}
	return cmd
}

func newTestnetStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show chains, nodes and liens", Args: words(),
		Long: `Asks every node. Chains and ready nodes are shown at the newest epoch for which all
ready nodes hold a certificate.`,
		Example: `meshsec testnet status --json`,
	}
	home := homeFlag(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		if *asJSON {
			st, err := t.Look(cmd.Context())
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), st)
		}
		lines, err := t.Show(cmd.Context())
		if err != nil {
			return err
		}
		return printLines(cmd, lines)
	}
	return cmd
}

func printLines(cmd *cobra.Command, lines []string) error {
	for _, l := range lines {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), l); err != nil {
			return err
		}
	}
	return nil
}

func newTestnetFault() *cobra.Command {
	return newGroup("fault", "Make a validator break a rule", newTestnetDoubleVote(), newTestnetEquivocation(), newTestnetWrongEpoch())
}

func newTestnetDoubleVote() *cobra.Command {
	return newTestnetCrime((*testnet.Testnet).DoubleVote, &cobra.Command{
		Use: "double-vote", Short: "Make a validator sign two checkpoints of one epoch", Args: words(),
		Long: `Signs a certified checkpoint and a contradiction to it with a validator's key, past
its guard, gossips both from a stranger's host, and waits: until every node has the
proof, every ledger has frozen what stood behind the validator, and every ledger has
slashed it. Then it checks that no ledger lost or made an amount, and that all nodes
agree again. A node that is not ready, or killed meanwhile, is left out and named.`,
		Example: `meshsec testnet fault double-vote --chain beta --validator 2`,
	})
}

func newTestnetEquivocation() *cobra.Command {
	return newTestnetCrime((*testnet.Testnet).Equivocation, &cobra.Command{
		Use: "equivocation", Short: "Make a validator sign two blocks at one height of its home chain", Args: words(),
		Long: `Signs precommits for two blocks at a past height of the home chain with a validator's
consensus key, hands that chain the evidence, and waits: until the chain has committed
it and every node has the proof, every ledger has frozen what stood behind the
validator, and every ledger has slashed it. Then it checks that no ledger lost or made
an amount, and that all nodes agree again. A node that is not ready, or killed
meanwhile, is left out and named.`,
		Example: `meshsec testnet fault equivocation --chain beta --validator 2`,
	})
}

// newTestnetCrime completes a command that makes a validator break a rule.
func newTestnetCrime(commit func(*testnet.Testnet, context.Context, string, int, *testnet.Screen) (*testnet.FaultReport, error), cmd *cobra.Command) *cobra.Command {
	home := homeFlag(cmd)
	chain := cmd.Flags().String("chain", "", "the validator's chain (required)")
	validator := cmd.Flags().Int("validator", 0, "the validator's number, from 0 (required)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "chain", "validator"); err != nil {
			return err
		}
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		report, err := commit(t, cmd.Context(), *chain, *validator, screen(cmd, !*asJSON))
		if err != nil {
			return err
		}
		return printFaultReport(cmd, report, *asJSON)
	}
	return cmd
}

func newTestnetKill() *cobra.Command {
	cmd := &cobra.Command{
		Use: "kill NAME", Short: "Kill a node (beta-2) or a home chain (beta) as a power cut would", Args: words("NAME"),
		Example: `meshsec testnet kill beta-2`,
	}
	home := homeFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		return t.Kill(cmd.Context(), args[0], screen(cmd, true))
	}
	return cmd
}

func newTestnetStart() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start NAME", Short: "Start a killed node or home chain again, and wait until it is ready", Args: words("NAME"),
		Example: `meshsec testnet start beta-2`,
	}
	home := homeFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		return t.Start(cmd.Context(), args[0], screen(cmd, true))
	}
	return cmd
}

func newTestnetTrust() *cobra.Command {
	cmd := &cobra.Command{
		Use: "trust", Short: "Have the chains trust stale peers anew", Args: words(),
		Long: `A chain that was not heard of for half of the unbonding time is halted as stale on
the ledgers of the others: its stake gives no power there until their authorities
trust a new checkpoint of it. This does so for every stale peer, with the keys that
lie in the home, and waits until it has happened. Chains that were convicted stay
halted.

The command up does the same for a network that it resumes.`,
		Example: `meshsec testnet trust --home /tmp/mesh`,
	}
	home := homeFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		return t.Trust(cmd.Context(), screen(cmd, true))
	}
	return cmd
}

// newTestnetPrepare runs in a container of its own before all others.
func newTestnetPrepare() *cobra.Command {
	cmd := &cobra.Command{
		Use: "prepare", Short: "Fill the volumes of a network in containers", Args: words(), Hidden: true,
	}
	seed := cmd.Flags().String("seed", "", "the testnet's folder")
	volumes := cmd.Flags().String("volumes", "", "folder with all volumes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "seed", "volumes"); err != nil {
			return err
		}
		return testnet.Prepare(*seed, *volumes)
	}
	return cmd
}
