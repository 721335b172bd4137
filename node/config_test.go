package node_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store/ledger"
)

var update = flag.Bool("update", false, "rewrite generated files")

func load(t *testing.T, text string) (node.Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "meshsec.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := node.LoadConfig(path)
	return c, dir, err
}

const smallConfig = `
chain = "alpha"
[home_chain]
rpc = "http://127.0.0.1:26657"
`

func TestConfigFillsInDefaultsAndResolvesPaths(t *testing.T) {
	c, dir, err := load(t, smallConfig+"[p2p]\nkey = \"/etc/key\"\n[store]\nkeep_versions = 64\n")
	if err != nil {
		t.Fatal(err)
	}
	want := node.DefaultConfig()
	want.Chain = "alpha"
	want.HomeChain.RPC = "http://127.0.0.1:26657"
	want.Manifest = filepath.Join(dir, "manifest.toml")
	want.Data = filepath.Join(dir, "data")
	want.P2P.Key = "/etc/key"
	want.Validator.Guard = filepath.Join(dir, "guard")
	want.Store.KeepVersions = 64
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestConfigSurvivesARoundTrip(t *testing.T) {
	c := node.DefaultConfig()
	c.Chain = "alpha"
	c.HomeChain.RPC = "http://127.0.0.1:26657"
	c.HomeChain.PollInterval = node.Span(250 * time.Millisecond)
	c.P2P.Peers = []string{"/ip4/10.0.0.1/tcp/7470/p2p/12D3KooWGzh4J8YPVcTEXPwSTKX9w4jPKYdQkdwsqkWRLQBBfGKM"}
	c.Manifest, c.Data, c.P2P.Key, c.Validator.Guard = "/m", "/d", "/k", "/g"
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := load(t, string(b))
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("got  %+v, %v\nwant %+v\nfile:\n%s", got, err, c, b)
	}
	for _, key := range []string{"poll_interval", "keep_versions", "guard"} {
		before, _, _ := strings.Cut(string(b), "\n"+key+" = ")
		lines := strings.Split(before, "\n")
		if !strings.HasPrefix(lines[len(lines)-1], "# ") {
			t.Errorf("no comment above %s in\n%s", key, b)
		}
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no identity", smallConfig + "[p2p]\nkey = \"\"\n", "p2p.key is missing"},
		{"unknown key", smallConfig + "[p2p]\nlisten_on = 1\n", `"p2p.listen_on"`},
		{"no chain", "[home_chain]\nrpc = \"http://x:1\"\n", "chain is missing"},
		{"no rpc", `chain = "a"`, "home_chain.rpc"},
		{"an rpc of another kind", "chain = \"a\"\n[home_chain]\nrpc = \"ftp://x\"\n", `home_chain.rpc is "ftp://x", want a URL such as http://`},
		{"no TOML", "{}", "line 1: toml: invalid character"},
		{"wrong type", smallConfig + "[store]\nkeep_versions = \"many\"\n", "store.keep_versions"},
		{"bad duration", smallConfig + "poll_interval = \"often\"\n", "often"},
		{"bad encoding", smallConfig + "encoding = \"base64\"\n", "home_chain.encoding"},
		{"bad peer", smallConfig + "[p2p]\npeers = [\"/ip4/1.2.3.4/tcp/1\"]\n", "p2p.peers"},
		{"bad listen", smallConfig + "[p2p]\nlisten = [\"here\"]\n", "p2p.listen"},
		{"bad api", smallConfig + "[api]\nlisten = \"here\"\n", "api.listen"},
		{"a port that none is", smallConfig + "[api]\nlisten = \"127.0.0.1:99999\"\n", `api.listen is "127.0.0.1:99999", want host:port such as 127.0.0.1:7480, with a port up to 65535`},
		{"a port beyond all numbers", smallConfig + "[api]\nlisten = \":99999999999999999999\"\n", "api.listen is"},
		{"an rpc at no port", "chain = \"a\"\n[home_chain]\nrpc = \"http://x:99999\"\n", `home_chain.rpc is "http://x:99999"`},
		{"no password", smallConfig + "[validator]\nkeystore = \"k\"\n", "validator.password_file"},
		{"few versions", smallConfig + "[store]\nkeep_versions = 3\n", "store.keep_versions"},
		{"bad level", smallConfig + "[log]\nlevel = \"loud\"\n", "log.level"},
		{"bad format", smallConfig + "[log]\nformat = \"xml\"\n", "log.format"},
	} {
		_, _, err := load(t, tc.text)
		if !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", tc.name, err, tc.want)
		}
	}
	if _, err := node.LoadConfig(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// What is larger than such a file can be is another one, and is not read to its end.
func TestFilesOfTheWrongSizeAreRefused(t *testing.T) {
	for _, tc := range []struct {
		most int64
		load func(path string) error
	}{
		{1 << 20, func(path string) error { _, err := node.LoadConfig(path); return err }},
		{ledger.MaxManifest, func(path string) error { _, err := node.LoadManifest(path); return err }},
	} {
		path := filepath.Join(t.TempDir(), "disk.img")
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Truncate(path, tc.most+1))
		want := fmt.Sprintf("%s has more than %d bytes, which no such file has: name the right one", path, tc.most)
		if err := tc.load(path); !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestConfigurationReference(t *testing.T) {
	path := filepath.Join("..", "docs", "configuration.md")
	want := node.ConfigReference()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/configuration.md is stale (%v): run go test ./node -run TestConfigurationReference -update", err)
	}
	if bytes.Contains(want, []byte("| |")) || bytes.Contains(want, []byte("|  |")) {
		t.Errorf("a key has no documentation:\n%s", want)
	}
}

func FuzzLoadConfig(f *testing.F) {
	f.Add([]byte(smallConfig))
	f.Add([]byte("chain = 1"))
	f.Add([]byte("[p2p]\npeers = [\"/ip4\"]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := node.LoadConfig(path); err != nil && !errors.Is(err, node.ErrConfig) {
			t.Errorf("untyped error %v", err)
		}
	})
}
