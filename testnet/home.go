package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/meshsec/meshsec/store/ledger"
)

// DefaultHome is .meshsec/testnet in the user's own folder.
func DefaultHome() (string, error) {
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("your home folder is unknown, give --home: %w", err)
	}
	return filepath.Join(dir, ".meshsec", "testnet"), nil
}

// Testnet is testnet.toml: what was built in a home.
type Testnet struct {
	Format  int      `toml:"format"`
	Mode    Mode     `toml:"mode"`
	Image   string   `toml:"image,omitempty"`
	Network string   `toml:"network"` // id, hex
	Project string   `toml:"project"` // of docker compose
	Chains  []*Chain `toml:"chains"`

	home string
}

// Chain is one chain of a testnet.
type Chain struct {
	ID    string  `toml:"id"`
	RPC   string  `toml:"rpc"` // host:port of the devchain's RPC
	Nodes []*Node `toml:"nodes"`
}

// Node is one node with its validator.
type Node struct {
	Name    string           `toml:"name"`
	Account ledger.AccountID `toml:"account"`
	Key     ledger.HexBytes  `toml:"key"`  // BLS public key
	Peer    string           `toml:"peer"` // libp2p id
	P2P     string           `toml:"p2p"`  // host:port
	API     string           `toml:"api"`  // host:port
}

// format counts the ways in which a home was ever laid out.
const format = 1

// Names of files in a home.
const (
	descriptionFile = "testnet.toml"
	manifestFile    = "manifest.toml"
	composeFile     = "compose.yaml"
	buildingFile    = ".building"
	lockFile        = "lock"
	configFile      = "config.toml"
	keystoreFile    = "keystore.json"
	passwordFile    = "password"
	accountFile     = "account.key"
	identityFile    = "p2p.key"
	authorityFile   = "authority.key"
)

// ErrNoTestnet is returned when a home holds no testnet.
var ErrNoTestnet = errors.New("no testnet")

// Load reads what was built in home.
func Load(home string) (*Testnet, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, err
	}
	t := &Testnet{home: home}
	b, err := os.ReadFile(t.path(descriptionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: start one with %s", ErrNoTestnet, home, t.advice("up"))
	}
	if err != nil {
		return nil, err
	}
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(t); err != nil || t.Format != format {
		return nil, fmt.Errorf("%s was written by another version: %s removes it", t.path(descriptionFile), t.advice("down --purge"))
	}
	return t, t.check()
}

// check is for what a person's editor may have done.
func (t *Testnet) check() error {
	bad := func(what string) error { return fmt.Errorf("%s: %s", t.path(descriptionFile), what) }
	if len(t.Chains) == 0 {
		return bad("it has no chains")
	}
	for _, c := range t.Chains {
		if len(c.Nodes) == 0 {
			return bad("chain " + c.ID + " has no nodes")
		}
		addresses := []string{c.RPC}
		for _, n := range c.Nodes {
			addresses = append(addresses, n.P2P, n.API)
		}
		for _, a := range addresses {
			if _, _, err := net.SplitHostPort(a); err != nil {
				return bad(fmt.Sprintf("%q is not host:port", a))
			}
		}
	}
	return t.Shape().check()
}

func (t *Testnet) save() error {
	b, err := toml.Marshal(t)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(t.home, descriptionFile), b, t.sharedMode())
}

// Shape is what was asked for when t was built.
func (t *Testnet) Shape() Shape {
	return Shape{Mode: t.Mode, Image: t.Image, Chains: len(t.Chains), Validators: len(t.Chains[0].Nodes)}
}

// Home is the folder of t.
func (t *Testnet) Home() string { return t.home }

func (t *Testnet) path(parts ...string) string {
	return filepath.Join(append([]string{t.home}, parts...)...)
}

// advice is a command for this home, as a person types it.
func (t *Testnet) advice(command string) string {
	return "`meshsec testnet " + command + " --home " + shellWord(t.home) + "`"
}

// shellWord quotes s where a shell would take it for something else.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:,@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (t *Testnet) chainDir(chain string) string { return t.path("chains", chain) }
func (t *Testnet) devchainDir(chain string) string {
	return t.path("chains", chain, "devchain")
}
func (t *Testnet) nodeDir(name string) string    { return t.path("nodes", name) }
func (t *Testnet) nodeConfig(name string) string { return t.path("nodes", name, configFile) }
func (t *Testnet) logFile(name string) string    { return t.path("logs", name+".log") }

// sharedMode is that of files in the home itself that containers read, too.
func (t *Testnet) sharedMode() fs.FileMode {
	if t.Mode == Docker {
		return 0o644
	}
	return 0o600
}

// writeFile replaces path, whole or not at all.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".draft-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name()) // after the rename there is nothing to remove
	_, err = draft.Write(content)
	if err == nil {
		err = draft.Chmod(mode)
	}
	if closed := draft.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(draft.Name(), path)
}

// lock keeps two commands from changing one home at the same time. It is held for
// a moment, or, by name, for as long as somebody watches the testnet.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

var errBusy = errors.New("another meshsec command is changing this testnet; try again when it is done")

// patience is how long a command waits for another one to be done.
const patience = 15 * time.Second

// change runs f alone.
func (t *Testnet) change(ctx context.Context, f func() error) error {
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errBusy)
	defer cancel()
	var unlock func()
	err := poll(waiting, 50*time.Millisecond, func() (done bool, err error) {
		unlock, err = lock(t.path(lockFile))
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}
