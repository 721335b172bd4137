package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

func TestWrongUsageEndsWithTwo(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	account := strings.Repeat("ab", 32)
	for _, tc := range []struct{ args, want string }{
		{"statsu", `unknown command "statsu", did you mean status?; see meshsec --help`},
		{"keys make", `unknown command "make"; see meshsec keys --help`},
		{"status --colour", "unknown flag: --colour; see meshsec status --help"},
		{"status now", `unexpected argument "now"; see meshsec status --help`},
		{"fault show", "FAULT, the id of a fault or how that begins, is missing"},
		{"fault show xyz", `FAULT is "xyz", want up to 64 hex digits`},
		{"receipt 12", `OPERATION is "12", want 64 hex digits`},
		{"ledger show --account Alice", `--account is "Alice", want hex digits`},
		{"init", "--manifest is missing"},
		{"init --manifest m --new-guard", "--new-guard needs the --keystore"},
		{"devchain", "--home is missing"},
		{"devchain --home x --log-level loud", `--log-level is "loud"`},
		{"deposit", "--amount and --authority-key is missing"},
		{"withdraw --amount -5", "not a plain decimal integer"},
		{"withdraw --amount 1.5", "not a plain decimal integer"},
		{"withdraw --amount 1__0", "has a _ that is not between two digits"},
		{"withdraw --amount _5", "has a _ that is not between two digits"},
		{"withdraw --amount 5_", "has a _ that is not between two digits"},
		{"withdraw", "--amount is missing"},
		{"pledge --consumer beta --amount 1 --validator 12", "not 64 hex digits"},
		{"pledge --consumer beta --amount 1 --validator " + account, "--ratio is missing"},
		{"pledge --ratio 5%", "not a decimal fraction such as 0.05"},
		{"release --consumer beta --validator " + account, "--amount is missing"},
		{"release --consumer beta --amount 1", "--validator or --backstop is missing"},
		{"release --consumer beta --amount 1 --backstop --validator " + account, "give --validator or --backstop, not both"},
		{"pledge --consumer beta --amount 1 --ratio 0.1 --backstop", "--accepts is missing"},
		{"pledge --consumer beta --amount 1 --ratio 0.1 --accepts 5 --validator " + account, "--accepts is for a --backstop"},
		{"unjail now", `unexpected argument "now"`},
		{"params set --file x", "--authority-key is missing"},
		{"peer set", "CHAIN is missing"},
		{"peer set beta --authority-key x", "nothing to change: give --price, --discount or --cap"},
		{"peer set beta --cap half", "not a decimal fraction such as 0.05"},
		{"peer set beta --cap 0.5", "--authority-key is missing"},
		{"peer trust beta", "--authority-key is missing"},
		{"peer trust beta --authority-key x --root 1234", "--root has 2 bytes, want 64 hex digits"},
		{"escrow release --consumer beta --amount 5", "--account and --authority-key is missing"},
		{"register", "--consensus-key is missing"},
		{"keys new bls --kdf md5", "want one of [scrypt pbkdf2 cheap]"},
		{"health --timeout soon", `"soon" for "--timeout" flag: want a time such as 30s or 2m; see`},
		{"receipt --timeout 5 12", `"5" for "--timeout" flag: want a time such as 30s or 2m; see`},
		{"status --json=maybe", `"maybe" for "--json" flag: want true or false; see`},
		{"testnet up --chains x", `"x" for "--chains" flag: want a whole number; see`},
		{"testnet up --chains 99999999999999999999", `"99999999999999999999" for "--chains" flag: the number is too large; see`},
		{"guard raise --below -1", `"-1" for "--below" flag: want a whole number from 0 to 18446744073709551615; see`},
		{"ledger prove meta --epoch 0", `"0" for "--epoch" flag: epoch 0 is the genesis, which has no certificate: give one from 1 on, or leave the flag out`},
		{"ledger prove meta --from 0", `"0" for "--from" flag: epoch 0 is the genesis`},
		{"ledger prove meta --epoch -1", "want the number of an epoch, from 1 on"},
		{"ledger export --chain alpha --out x --epoch 0", `"0" for "--epoch" flag: epoch 0 is the genesis`},
		{"ledger export --chain alpha --out x --from 0", `"0" for "--from" flag: epoch 0 is the genesis`},
		{"ledger import x --trust alpha:0:" + account, "epoch 0 is the genesis, which has no checkpoint: it is the network's manifest that says it"},
		{"ledger verify x --trust alpha:0:" + account, "epoch 0 is the genesis, which has no checkpoint"},
		{"peer trust beta --authority-key x --epoch 0", `"0" for "--epoch" flag: epoch 0 is the genesis`},
		{"guard raise --below 0", "--below is 0, which refuses nothing"},
	} {
		r := fails(t, exitUsage, []string{tc.want, " --help"}, strings.Fields(tc.args)...)
		if r.out != "" {
			t.Errorf("%s: standard output has %q", tc.args, r.out)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range []string{"", "--help", "keys", "ledger show --help", "help pledge"} {
		if out := done(t, strings.Fields(args)...); !strings.Contains(out, "Usage:") {
			t.Errorf("%q: %s", args, out)
		}
	}
}

func TestVersionSaysWhatItIs(t *testing.T) {
	if out := done(t, "version"); !strings.HasPrefix(out, "meshsec ") || !strings.Contains(out, "go1.") {
		t.Error(out)
	}
	if b := decoded[build](t, done(t, "version", "--json")); b != thisBuild() || b.Version == "" || b.Commit == "" {
		t.Errorf("%+v", b)
	}
}

// TestCommandReference keeps docs/cli.md true.
func TestCommandReference(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "cli.md")
	var want bytes.Buffer
	want.WriteString("# Commands\n\n<!-- Generated from the commands: go test ./cmd/meshsec -run TestCommandReference -update -->\n\n" +
		"Data goes to standard output, everything else to standard error; an error is one line.\n" +
		"Exit codes: 0 done, 1 failed, 2 wrong usage. Keys in JSON are stable, amounts are strings.\n")
	reference(&want, newRoot())
	if *update {
		ok(t, os.WriteFile(path, want.Bytes(), 0o644))
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/cli.md is stale (%v): run go test ./cmd/meshsec -run TestCommandReference -update", err)
	}
}

func reference(b *bytes.Buffer, cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	if !cmd.HasSubCommands() || cmd.Long != "" && cmd.HasParent() { // most groups have nothing to say themselves
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(b, "\n## %s\n\n%s\n\n```\n%s\n", cmd.CommandPath(), text, cmd.UseLine())
		if cmd.Example != "" {
			fmt.Fprintf(b, "\n%s\n", cmd.Example)
		}
		fmt.Fprintf(b, "\n%s```\n", cmd.LocalFlags().FlagUsages())
	}
	for _, c := range cmd.Commands() {
		if !c.Hidden && c.Name() != "help" && c.Name() != "completion" {
			reference(b, c)
		}
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q, want one line without a full stop", cmd.CommandPath(), cmd.Short)
		}
		if !cmd.HasSubCommands() && cmd.Args == nil {
			t.Errorf("%s takes any arguments: a typing error would go unnoticed", cmd.CommandPath())
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot())
}

func TestNobodyAnswers(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	for _, args := range []string{"status", "ledger show --chain alpha", "fault list", "health"} {
		args += " --node http://127.0.0.1:1"
		fails(t, exitFailed, []string{"no node answers at http://127.0.0.1:1 (connection refused): start it"}, strings.Fields(args)...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	if code := run(ctx, []string{"status", "--node", "http://127.0.0.1:1"}, strings.NewReader(""), &out, &errOut); code != exitFailed {
		t.Errorf("interrupted: exit code %d", code)
	}
}

// A file that is larger than it can be is another one, and is not read to its end.
func TestFilesOfTheWrongSizeAreRefused(t *testing.T) {
	dir := t.TempDir()
	huge := write(t, dir, "disk.img", "")
	ok(t, os.Truncate(huge, ledger.MaxManifest+1))
	for most, args := range map[int]string{
		ledger.MaxManifest: "init --home " + filepath.Join(dir, "mesh") + " --manifest",
		1 << 20:            "status --config",
		maxKeyFile:         "register --consensus-key",
	} {
		fails(t, exitFailed, []string{fmt.Sprintf("%s has more than %d bytes, which no such file has: name the right one", huge, most)},
			append(strings.Fields(args), huge)...)
	}
	if _, err := readParams(huge); err == nil || !strings.Contains(err.Error(), "has more than 65536 bytes") {
		t.Error(err)
	}
}

// A file in the place of a home is said to be one, by whoever looks into it.
func TestAHomeThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mesh")
	ok(t, os.WriteFile(file, nil, 0o600))
	for _, args := range []string{
		"status", "start", "health", "fault list", "ledger show", "ledger replay", "params show", "guard export g",
		"init --manifest m", "keys new account", "keys list", "devchain",
		"testnet up", "testnet down", "testnet status", "testnet trust", "testnet kill beta",
	} {
		fails(t, exitFailed, []string{file + " is a file, not a folder: name another one with --home"}, append(strings.Fields(args), "--home", file)...)
	}
}
