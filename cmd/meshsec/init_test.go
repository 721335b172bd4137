package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// manifestFile writes the manifest of a network of two chains.
func manifestFile(t *testing.T) (string, *ledgertest.Network) {
	t.Helper()
	n := ledgertest.New(2, 1, nil)
	text, err := n.Manifest.Encode()
	ok(t, err)
	return write(t, t.TempDir(), "manifest.toml", string(text)), n
}

func TestInitMakesAHomeThatStartReads(t *testing.T) {
	manifest, n := manifestFile(t)
	dir := filepath.Join(t.TempDir(), "home")
	m := decoded[made](t, done(t, "init", "--home", dir, "--manifest", manifest, "--chain", "beta", "--name", "b0",
		"--rpc", "http://10.0.0.1:26657", "--api", "127.0.0.1:9999", "--listen", "/ip4/127.0.0.1/tcp/0", "--json"))
	if m.Home != dir || m.Chain != "beta" || m.Network != n.ID.String() || m.Peer == "" || len(m.Key) != 0 || m.Guard {
		t.Errorf("%+v", m)
	}
	c, err := node.LoadConfig(m.Config)
	ok(t, err)
	if c.Chain != "beta" || c.Name != "b0" || c.HomeChain.RPC != "http://10.0.0.1:26657" || c.API.Listen != "127.0.0.1:9999" ||
		c.Manifest != filepath.Join(dir, "manifest.toml") || c.P2P.Listen[0] != "/ip4/127.0.0.1/tcp/0" {
		t.Errorf("%+v", c)
	}
	if _, err := node.LoadManifest(c.Manifest); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(m.Config)
	ok(t, err)
	if !strings.Contains(string(text), "# Folder of the guard, which remembers what the key has signed.") {
		t.Errorf("keys are not explained:\n%s", text)
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	manifest, _ := manifestFile(t)
	dir := t.TempDir()
	write(t, dir, "p2p.key", "damaged")
	args := []string{"init", "--home", dir, "--manifest", manifest, "--chain", "alpha"}
	fails(t, exitFailed, []string{"p2p.key is damaged"}, args...)
	ok(t, os.Remove(filepath.Join(dir, "p2p.key")))
	done(t, args...) // goes on where it failed
	identity, err := os.ReadFile(filepath.Join(dir, "p2p.key"))
	ok(t, err)
	fails(t, exitFailed, []string{dir + " is a node's home already and is left as it is"}, args...)
	ok(t, os.Remove(filepath.Join(dir, configName)))
	done(t, args...)
	if again, err := os.ReadFile(filepath.Join(dir, "p2p.key")); err != nil || string(again) != string(identity) {
		t.Errorf("the identity changed: %v", err)
	}
	other := t.TempDir()
	write(t, other, manifestName, "name = \"another\"\n")
	fails(t, exitFailed, []string{"not a directory: choose another --home"}, "init", "--home", filepath.Join(manifest, "x"), "--manifest", manifest, "--chain", "alpha")
	fails(t, exitFailed, []string{"manifest.toml exists already"}, "init", "--home", other, "--manifest", manifest, "--chain", "alpha")
}

func TestInitMakesAGuardOnlyWhenTold(t *testing.T) {
	manifest, n := manifestFile(t)
	keys := t.TempDir()
	keystore, password, info := newKeystore(t, keys)
	command := func(dir string, more ...string) []string {
		return append([]string{"init", "--home", dir, "--manifest", manifest, "--chain", "alpha", "--keystore", keystore, "--password-file", password}, more...)
	}
	dir := filepath.Join(t.TempDir(), "bare")
	r := meshsec(t, command(dir)...)
	if r.code != exitOK || !strings.Contains(r.out, info.name()+", without a guard") || !strings.Contains(r.err, "Before the first start: move the key's guard to "+filepath.Join(dir, "guard")) {
		t.Errorf("%+v", r)
	}
	dir = filepath.Join(t.TempDir(), "new")
	m := decoded[made](t, done(t, command(dir, "--new-guard", "--json")...))
	if !m.Guard || hex.EncodeToString(m.Key) != info.name() {
		t.Errorf("%+v", m)
	}
	g, err := guard.Open(filepath.Join(dir, "guard"), [48]byte(m.Key), n.ID.String())
	ok(t, err)
	ok(t, g.Close())

	// A guard that is there is kept: that of the key is used, another's is an error.
	ok(t, os.Remove(m.Config))
	fails(t, exitFailed, []string{"holds a guard already", "leave --new-guard out"}, command(dir, "--new-guard")...)
	if out := done(t, command(dir)...); !strings.Contains(out, "with its guard") {
		t.Error(out)
	}
	ok(t, os.Remove(m.Config))
	keystore, password, _ = newKeystore(t, t.TempDir())
	fails(t, exitFailed, []string{"belongs to another key"}, command(dir)...)
}

func TestInitSaysWhatIsWrong(t *testing.T) {
	manifest, _ := manifestFile(t)
	keystore, _, _ := newKeystore(t, t.TempDir())
	dir := filepath.Join(t.TempDir(), "home")
	for _, tc := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "give the home chain with --chain: one of alpha, beta", nil},
		{exitUsage, `chain "gamma" is not in the manifest: give --chain as one of alpha, beta`, []string{"--chain", "gamma"}},
		{exitUsage, "validator.password_file is missing", []string{"--chain", "alpha", "--keystore", keystore}},
		{exitUsage, "home_chain.rpc", []string{"--chain", "alpha", "--rpc", "here"}},
		{exitUsage, "home_chain.encoding", []string{"--chain", "alpha", "--encoding", "morse"}},
		{exitUsage, "p2p.peers", []string{"--chain", "alpha", "--peer", "/ip4/1.2.3.4/tcp/1"}},
		{exitFailed, "no such file", []string{"--manifest", filepath.Join(dir, "none.toml")}},
		{exitFailed, "is not an EIP-2335 keystore", []string{"--chain", "alpha", "--keystore", manifest, "--password-file", "p"}},
		{exitFailed, "unknown key", []string{"--manifest", write(t, t.TempDir(), "m.toml", "colour = 1\n")}},
	} {
		fails(t, tc.code, []string{tc.want}, append([]string{"init", "--home", dir, "--manifest", manifest}, tc.args...)...)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a failed init left something behind")
	}
}

func TestTheKeyTellsTheChain(t *testing.T) {
	n := ledgertest.New(2, 1, nil)
	key := n.Chains[1].Validators[0].Key.PublicKey().Bytes()
	if chain, err := homeChain(n.Manifest, "", key[:]); err != nil || chain != "beta" {
		t.Errorf("%q, %v", chain, err)
	}
	n.Manifest.Chains = n.Manifest.Chains[:1]
	if chain, err := homeChain(n.Manifest, "", nil); err != nil || chain != "alpha" {
		t.Errorf("%q, %v", chain, err)
	}
}

func TestUnknownConfigurationKeysAreNamed(t *testing.T) {
	manifest, _ := manifestFile(t)
	dir := t.TempDir()
	done(t, "init", "--home", dir, "--manifest", manifest, "--chain", "alpha")
	path := filepath.Join(dir, configName)
	text, err := os.ReadFile(path)
	ok(t, err)
	ok(t, os.WriteFile(path, append([]byte("colour = \"blue\"\n"), text...), 0o600))
	for _, args := range []string{"start", "status", "health", "withdraw --amount 1"} {
		fails(t, exitFailed, []string{path, `line 1: unknown key "colour"`}, append(strings.Fields(args), "--home", dir)...)
	}
}
