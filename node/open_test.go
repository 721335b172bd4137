package node_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// house is a node's folder on disk.
type house struct {
	t   *testing.T
	dir string
	cfg node.Config
}

func newHouse(t *testing.T) *house {
	t.Helper()
	network := ledgertest.New(2, 1, nil)
	h := &house{t: t, dir: t.TempDir()}
	h.manifest(network.Manifest)
	v := network.Chains[0].Validators[0]
	keystore, err := bls.EncryptKeystore(v.Key, "open sesame", "", bls.KDFPBKDF2)
	must(t, err)
	h.write("key.json", string(keystore))
	h.write("password", "open sesame\n")
	h.write("account", hex.EncodeToString(v.Account.Seed())+"\n")
	c := node.DefaultConfig()
	c.Chain, c.HomeChain.RPC = network.Chains[0].ID, "http://127.0.0.1:1"
	c.API.Listen, c.P2P.Listen = "", nil
	c.Manifest, c.Data, c.P2P.Key = h.path("manifest.toml"), h.path("data"), h.path("p2p.key")
	c.Validator = node.ValidatorConfig{
		Keystore: h.path("key.json"), PasswordFile: h.path("password"), AccountKey: h.path("account"), Guard: h.path("guard"),
	}
	h.cfg = c
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.t.Helper()
	must(h.t, os.WriteFile(h.path(name), []byte(text), 0o600))
}

func (h *house) manifest(m *ledger.Manifest) {
	h.t.Helper()
	b, err := m.Encode()
	must(h.t, err)
	h.write("manifest.toml", string(b))
}

func (h *house) open(o node.Options) error {
	n, err := node.New(context.Background(), h.cfg, slog.New(slog.DiscardHandler), o)
	if err != nil {
		return err
	}
	return n.Close()
}

func TestNodeOpensFromItsFiles(t *testing.T) {
	h := newHouse(t)
	must(t, h.open(node.Options{NewGuard: true}))
	must(t, h.open(node.Options{})) // everything was given back
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(h *house)
		is     error
		says   string
	}{
		{"no guard", func(*house) {}, guard.ErrMissing, "--new-guard"},
		{"wrong password", func(h *house) { h.write("password", "guess") }, bls.ErrWrongPassword, "key.json"},
		{"no password file", func(h *house) { must(h.t, os.Remove(h.path("password"))) }, nil, "password_file"},
		{"no keystore", func(h *house) { h.cfg.Validator.Keystore = h.path("none") }, nil, "validator.keystore"},
		{"bad account key", func(h *house) { h.write("account", "1234") }, nil, "ed25519 seed"},
		{"unknown chain", func(h *house) { h.cfg.Chain = "omega" }, node.ErrConfig, "omega"},
		{"no manifest", func(h *house) { h.cfg.Manifest = h.path("none") }, node.ErrConfig, "manifest"},
		{"bad manifest", func(h *house) { h.write("manifest.toml", "surprise = 1") }, node.ErrConfig, "surprise"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			tc.before(h)
			err := h.open(node.Options{})
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line that is %v and says %q", err, tc.is, tc.says)
			}
		})
	}
}

func TestStoreOfAnotherNetworkIsRefused(t *testing.T) {
	h := newHouse(t)
	must(t, h.open(node.Options{NewGuard: true}))
	h.cfg.Validator = node.ValidatorConfig{}
	h.manifest(ledgertest.New(2, 2, nil).Manifest)
	if err := h.open(node.Options{}); !errors.Is(err, store.ErrWrongNetwork) || !strings.Contains(err.Error(), h.cfg.Data) {
		t.Errorf("error = %v", err)
	}
}

func TestGuardOfAnotherNetworkIsRefused(t *testing.T) {
	h := newHouse(t)
	must(t, h.open(node.Options{NewGuard: true}))
	must(t, os.RemoveAll(h.cfg.Data))
	h.manifest(ledgertest.New(2, 2, nil).Manifest)
	if err := h.open(node.Options{}); !errors.Is(err, guard.ErrWrongNetwork) {
		t.Errorf("error = %v", err)
	}
}

func TestDamagedStoreIsSetAsideOnlyOnRequest(t *testing.T) {
	h := newHouse(t)
	must(t, h.open(node.Options{NewGuard: true}))
	damage(t, filepath.Join(h.cfg.Data, "store"))
	err := h.open(node.Options{})
	if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "store.reset_corrupt") {
		t.Fatalf("error = %v, want that it is corrupt and what to do", err)
	}
	must(t, h.open(node.Options{ResetCorrupt: true}))
	must(t, h.open(node.Options{}))
}

// damage removes what Badger knows of its tables.
func damage(t *testing.T, dir string) {
	t.Helper()
	removed := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && (d.Name() == "MANIFEST" || filepath.Ext(path) == ".mem") {
			removed++
			return os.Remove(path)
		}
		return err
	}))
	if removed == 0 {
		t.Fatal("nothing to damage")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	h := newHouse(t)
	h.cfg.API.Listen = l.Addr().String()
	if err := h.open(node.Options{NewGuard: true}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error = %v", err)
	}
	h.cfg.API.Listen = "127.0.0.1:99999" // whatever it is, the key is named
	if err := h.open(node.Options{}); err == nil || !strings.HasPrefix(err.Error(), "api.listen: ") {
		t.Errorf("error = %v", err)
	}
}

// The port of the mesh is only opened when the node runs. That it could not start is told
// once, by the error, and no log says that it did.
func TestPortOfTheMeshInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	h := newHouse(t)
	h.cfg.P2P.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)}
	var log bytes.Buffer
	n, err := node.New(context.Background(), h.cfg, slog.New(slog.NewTextHandler(&log, nil)), node.Options{NewGuard: true})
	must(t, err)
	if err := n.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "the port is in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error = %v", err)
	}
	must(t, n.Close())
	if log.Len() > 0 {
		t.Errorf("it also said:\n%s", log.String())
	}
	h.cfg.P2P.Listen = nil
	must(t, h.open(node.Options{})) // everything was given back
}

func TestAPIAnswersOverTheNetwork(t *testing.T) {
	h := newHouse(t)
	h.cfg.API.Listen = "127.0.0.1:0"
	n, err := node.New(context.Background(), h.cfg, slog.New(slog.DiscardHandler), node.Options{NewGuard: true, Version: "v9"})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	client := api.NewClient("http://"+n.API(), nil)
	s, err := client.Status(t.Context()) // the listener is open since New
	must(t, err)
	if s.Version != "v9" || s.Chain != "alpha" || s.Validator == nil || !s.Validator.Active || s.Ready {
		t.Errorf("status = %+v", s)
	}
	if err := client.Ready(t.Context()); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("ready without a home chain: %v", err)
	}
	if _, err := client.Submit(t.Context(), []byte{1, 2, 3}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("rubbish as an operation: %v", err)
	}
	if _, err := client.Checkpoint(t.Context(), "alpha", 1); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a checkpoint that is not certified: %v", err)
	}
	b, err := client.Metrics(t.Context())
	must(t, err)
	for _, line := range []string{
		`meshsec_build_info{version="v9"} 1`, `meshsec_ready 0`, `meshsec_diverged 0`, `meshsec_validator_active 1`,
		`meshsec_executed_epoch{chain="beta"} 0`, `meshsec_tasks_open 0`,
	} {
		if !strings.Contains(string(b), line+"\n") {
			t.Errorf("the metrics have no line %s:\n%s", line, b)
		}
	}
	stop()
	must(t, <-ended)
	must(t, n.Close())
}

func TestWrongHomeChainEndsTheNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, nil)
		m := w.members[0]
		o := m.options()
		o.Chain = func(context.Context) (chain.Chain, error) { return w.chains["beta"].client(m.name), nil }
		n, err := node.New(context.Background(), m.config(), slog.New(slog.DiscardHandler), o)
		must(t, err)
		if err := n.Run(context.Background()); !errors.Is(err, chain.ErrWrongChain) {
			t.Errorf("error = %v", err)
		}
		must(t, n.Close())
	})
}

func TestUnreachableHomeChainIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, nil)
		m := w.members[0]
		w.chains["alpha"].cut(m.name, true)
		w.start()
		w.await("it says so", func() bool { return strings.Contains(m.status().Reason, "home chain") })
		w.chains["alpha"].cut(m.name, false)
		w.await("it goes on", w.everywhere(certified(2)))
	})
}
