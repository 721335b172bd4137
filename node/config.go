package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"
	"github.com/pelletier/go-toml/v2"
)

// Config is all that an operator decides. The comment of a field is its
// documentation: [Config.Encode] writes it above the key, and
// docs/configuration.md is generated from it.
type Config struct {
	Name     string `toml:"name" comment:"What this node calls itself in logs and in its status."`
	Chain    string `toml:"chain" comment:"Id of the home chain, as in the manifest. Required."`
	Manifest string `toml:"manifest" comment:"Path of the network's manifest."`
	Data     string `toml:"data" comment:"Folder of the store. It can be deleted: the node then syncs anew. The guard can not, so it is not in it."`

	HomeChain HomeChainConfig `toml:"home_chain" comment:"How to reach the home chain."`
	P2P       P2PConfig       `toml:"p2p" comment:"The mesh."`
	API       APIConfig       `toml:"api" comment:"The HTTP API with metrics and health."`
	Validator ValidatorConfig `toml:"validator" comment:"The validator's keys. Without a keystore the node only follows."`
	Store     StoreConfig     `toml:"store" comment:"The database."`
	Log       LogConfig       `toml:"log" comment:"What goes to standard error."`
}

// HomeChainConfig is the section [home_chain].
type HomeChainConfig struct {
	RPC          string `toml:"rpc" comment:"URL of the RPC of a node of the home chain that you trust. Required."`
	Encoding     string `toml:"encoding" comment:"How operations travel in the chain's transactions: \"raw\" (the transaction is the operation), or \"kvstore\" (key=value, as CometBFT's example application wants)."`
	PollInterval Span   `toml:"poll_interval" comment:"How often to look for a new block. Half a block time is a good value."`
}

// P2PConfig is the section [p2p].
type P2PConfig struct {
	Listen []string `toml:"listen" comment:"Multiaddresses to listen on."`
	Peers  []string `toml:"peers" comment:"Multiaddresses of nodes to stay connected with, each ending in /p2p/ and the id of the node. A node prints its own when it starts."`
	Key    string   `toml:"key" comment:"File of the key behind this node's peer id. It is made when missing, and signs nothing of value."`
}

// APIConfig is the section [api].
type APIConfig struct {
	Listen string `toml:"listen" comment:"host:port of the API; empty for none. It has no access control: keep it private or behind a proxy."`
}

// ValidatorConfig is the section [validator].
type ValidatorConfig struct {
	Keystore     string `toml:"keystore" comment:"EIP-2335 keystore of the BLS key. Empty: this node only follows."`
	PasswordFile string `toml:"password_file" comment:"File with the keystore's password."`
	AccountKey   string `toml:"account_key" comment:"File with the account's ed25519 seed, 64 hex digits. Optional: its account is named as the reporter of faults; without it that of the validator is."`
	Guard        string `toml:"guard" comment:"Folder of the guard, which remembers what the key has signed. Back it up never, move it with the key, lose it never. For a key that has never signed start once with --new-guard."`
}

// StoreConfig is the section [store].
type StoreConfig struct {
	KeepVersions uint64 `toml:"keep_versions" comment:"How many epochs of each ledger stay readable. Proofs for the home chain are made from final epochs, so it must exceed the longest challenge window of the network in epochs; at least 64."`
	Keep         string `toml:"keep" comment:"How far back the journal goes, with its receipts and certificates: \"everything\", or \"windows\" for as long as what happened can still cost anybody stake, by the manifest of the network. Nodes that join need one that keeps everything, or a snapshot."`
	ResetCorrupt bool   `toml:"reset_corrupt" comment:"When the store is damaged, set it aside and sync anew instead of stopping."`
}

// LogConfig is the section [log].
type LogConfig struct {
	Level  string `toml:"level" comment:"debug, info, warn or error."`
	Format string `toml:"format" comment:"text or json."`
}

// Span is a time span in Go's form, such as 500ms.
type Span time.Duration

// MarshalText is Go's form.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads Go's form.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 500ms", b)
	}
	*s = Span(d)
	return nil
}

// DefaultConfig is what a missing key means.
func DefaultConfig() Config {
	return Config{
		Name:     "meshsec",
		Manifest: "manifest.toml",
		Data:     "data",
		HomeChain: HomeChainConfig{
			Encoding:     EncodingRaw,
			PollInterval: Span(500 * time.Millisecond),
		},
		P2P: P2PConfig{
			Listen: []string{"/ip4/0.0.0.0/tcp/7470", "/ip4/0.0.0.0/udp/7470/quic-v1"},
			Peers:  []string{},
			Key:    "p2p.key",
		},
		API:       APIConfig{Listen: "127.0.0.1:7480"},
		Validator: ValidatorConfig{Guard: "guard"},
		Store:     StoreConfig{KeepVersions: 2048, Keep: KeepEverything},
		Log:       LogConfig{Level: "info", Format: "text"},
	}
}

// How far back the journal goes.
const (
	KeepEverything = "everything"
	KeepWindows    = "windows"
)

// How operations travel in the home chain's transactions.
const (
	EncodingRaw     = "raw"
	EncodingKVStore = "kvstore"
)

// ErrConfig is what every error about a configuration file is.
var ErrConfig = errors.New("configuration")

// maxConfig and maxSecret bound the files that an operator writes, in bytes.
const (
	maxConfig = 1 << 20
	maxSecret = 1 << 16
)

// readFile reads a file of at most so many bytes. A larger one is another one than was
// meant, and not read to its end.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes, which no such file has: name the right one", path, most)
	}
	return b, err
}

// LoadConfig reads a file. Missing keys have their defaults, an unknown key is an
// error that names it, and relative paths count from the file's folder.
func LoadConfig(path string) (Config, error) {
	b, err := readFile(path, maxConfig)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c := DefaultConfig()
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, explainTOML(err))
	}
	c.resolve(filepath.Dir(path))
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return c, nil
}

// Encode writes c with the documentation of each key above it.
func (c Config) Encode() ([]byte, error) { return toml.Marshal(c) }

// Validate checks every value on its own; whether files exist shows when they are
// opened.
func (c Config) Validate() error {
	switch {
	case c.Chain == "":
		return errors.New("chain is missing: name the home chain as in the manifest")
	case c.Manifest == "":
		return errors.New("manifest is missing: give the path of the network's manifest")
	case c.Data == "":
		return errors.New("data is missing: give a folder for the store")
	case c.P2P.Key == "":
		return errors.New("p2p.key is missing: give the file of the key behind this node's peer id, it is made where there is none")
	case c.HomeChain.PollInterval < Span(time.Millisecond):
		return errors.New("home_chain.poll_interval must be at least 1ms")
	case c.HomeChain.Encoding != EncodingRaw && c.HomeChain.Encoding != EncodingKVStore:
		return fmt.Errorf("home_chain.encoding is %q, want %q or %q", c.HomeChain.Encoding, EncodingRaw, EncodingKVStore)
	case c.Store.KeepVersions < 64:
		return fmt.Errorf("store.keep_versions is %d, must be at least 64", c.Store.KeepVersions)
	case c.Store.Keep != KeepEverything && c.Store.Keep != KeepWindows:
		return fmt.Errorf("store.keep is %q, want %q or %q", c.Store.Keep, KeepEverything, KeepWindows)
	case c.Validator.Keystore != "" && c.Validator.PasswordFile == "":
		return errors.New("validator.password_file is missing: give the file with the keystore's password")
	case c.Validator.Keystore != "" && c.Validator.Guard == "":
		return errors.New("validator.guard is missing: a key without a guard signs nothing")
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fmt.Errorf("log.format is %q, want text or json", c.Log.Format)
	}
	if u, err := url.Parse(c.HomeChain.RPC); err != nil || !slices.Contains([]string{"http", "https", "tcp"}, u.Scheme) || u.Host == "" || beyondPorts(u.Port()) {
		return fmt.Errorf("home_chain.rpc is %q, want a URL such as http://127.0.0.1:26657", c.HomeChain.RPC)
	}
	if _, port, err := net.SplitHostPort(c.API.Listen); c.API.Listen != "" && (err != nil || beyondPorts(port)) {
		return fmt.Errorf("api.listen is %q, want host:port such as 127.0.0.1:7480, with a port up to 65535", c.API.Listen)
	}
	if _, err := c.Log.level(); err != nil {
		return err
	}
	for _, a := range c.P2P.Listen {
		if _, err := multiaddr.NewMultiaddr(a); err != nil {
			return fmt.Errorf("p2p.listen: %q is not a multiaddress such as /ip4/0.0.0.0/tcp/7470", a)
		}
	}
	for _, a := range c.P2P.Peers {
		m, err := multiaddr.NewMultiaddr(a)
		if err == nil {
			_, err = m.ValueForProtocol(multiaddr.P_P2P)
		}
		if err != nil {
			return fmt.Errorf("p2p.peers: %q is not a multiaddress that ends in /p2p/<id>", a)
		}
	}
	return nil
}

// beyondPorts reports whether a port is a number that no port has.
func beyondPorts(port string) bool {
	n, err := strconv.ParseUint(port, 10, 64)
	return err == nil && n > math.MaxUint16 || errors.Is(err, strconv.ErrRange)
}

func (l LogConfig) level() (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("log.level is %q, want debug, info, warn or error", l.Level)
	}
	return level, nil
}

// resolve makes paths relative to dir absolute or relative to the process.
func (c *Config) resolve(dir string) {
	for _, p := range []*string{
		&c.Manifest, &c.Data, &c.P2P.Key,
		&c.Validator.Keystore, &c.Validator.PasswordFile, &c.Validator.AccountKey, &c.Validator.Guard,
	} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// explainTOML says in one line what a decoder did not like.
func explainTOML(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %q; docs/configuration.md lists all", row, strings.Join(strict.Errors[0].Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		if key := strings.Join(bad.Key(), "."); key != "" {
			return fmt.Errorf("line %d: %s: %w", row, key, err)
		}
		return fmt.Errorf("line %d: %w", row, err)
	}
	return err
}

// readSecret reads a one-line file.
func readSecret(path, what string) (string, error) {
	b, err := readFile(path, maxSecret)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %s does not exist", what, path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
