package testnet

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
)

// Build makes a testnet in home, which is created where needed, or loads the one
// that is there if it has the same shape. genesis is the chains' first moment.
// An interrupted Build can be repeated.
func Build(home string, s Shape, genesis time.Time) (*Testnet, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Mode == Processes {
		s.Image = ""
	}
	t, err := Load(home)
	switch {
	case err == nil && t.Shape() != s:
		return nil, fmt.Errorf("%s holds %v, asked for %v: choose another --home, or remove it with %s", t.home, t.Shape(), s, t.advice("down --purge"))
	case !errors.Is(err, ErrNoTestnet):
		return t, err
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, err
	}
	t = &Testnet{Format: format, Mode: s.Mode, Image: s.Image, Project: projectName(home), home: home}
	release, err := t.claim()
	if err != nil {
		return nil, fmt.Errorf("build testnet: %w", err)
	}
	defer release()
	if err := t.build(s, genesis.Truncate(time.Millisecond)); err != nil {
		return nil, fmt.Errorf("build testnet: %w", err)
	}
	return t, nil
}

// projectName tells the containers of one home from those of another.
func projectName(home string) string {
	sum := sha256.Sum256([]byte(home))
	return "meshsec-" + hex.EncodeToString(sum[:4])
}

// claim makes sure that the home is empty but for what an earlier attempt left, and
// that nobody else builds there until release. A folder that holds something else is
// left as it is.
func (t *Testnet) claim() (release func(), err error) {
	if err := os.MkdirAll(t.home, 0o700); err != nil {
		return nil, err
	}
	// Whoever builds makes the lock before all else, so that what is here without one is
	// foreign. What is here with one is looked at once nobody builds.
	if err := t.checkFree(lockFile); err != nil {
		return nil, err
	}
	release, err = lock(t.path(lockFile))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errBusy
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if t.holds(descriptionFile) { // built a moment ago
		return nil, errBusy
	}
	if err := t.checkFree(buildingFile); err != nil {
		return nil, err
	}
	return release, t.clear()
}

// checkFree fails if the home has anything but a lock, unless a file says whose it is.
func (t *Testnet) checkFree(unless string) error {
	entries, err := os.ReadDir(t.home)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != lockFile }) && !t.holds(unless) {
		return fmt.Errorf("%s is not empty and holds no testnet: choose another --home", t.home)
	}
	return nil
}

func (t *Testnet) holds(name string) bool {
	_, err := os.Stat(t.path(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// clear takes away what an earlier attempt made, and leaves a mark for the next.
func (t *Testnet) clear() error {
	if err := writeFile(t.path(buildingFile), nil, 0o600); err != nil {
		return err
	}
	for _, name := range []string{"chains", "nodes"} { // never used: nothing starts without testnet.toml
		if err := os.RemoveAll(t.path(name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"logs", "run"} {
		if err := os.MkdirAll(t.path(name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// build fills the home. testnet.toml comes last.
func (t *Testnet) build(s Shape, genesis time.Time) error {
	keys, err := t.makeChains(s)
	if err != nil {
		return err
	}
	m, err := newManifest(keys, uint64(genesis.UnixMilli()))
	if err != nil {
		return err
	}
	id := m.ID()
	t.Network = hex.EncodeToString(id[:])
	encoded, err := m.Encode()
	if err != nil {
		return err
	}
	if err := writeFile(t.path(manifestFile), encoded, t.sharedMode()); err != nil {
		return err
	}
	for i, c := range t.Chains {
		if err := t.buildChain(c, keys[i], genesis); err != nil {
			return err
		}
	}
	if t.Mode == Docker {
		if err := writeFile(t.path(composeFile), t.compose(), 0o600); err != nil {
			return err
		}
	}
	if err := t.save(); err != nil {
		return err
	}
	return os.Remove(t.path(buildingFile))
}

// makeChains makes all keys and names, and writes what nodes keep secret.
func (t *Testnet) makeChains(s Shape) ([]chainKeys, error) {
	ports, err := freePorts(s.Chains * (1 + 2*s.Validators))
	if err != nil {
		return nil, err
	}
	next := func() (port string) {
		port, ports = ports[0], ports[1:]
		return port
	}
	keys := make([]chainKeys, s.Chains)
	for i, id := range chainNames[:s.Chains] {
		keys[i].id = id
		if _, keys[i].authority, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
		c := &Chain{ID: id, RPC: next()}
		for j := range s.Validators {
			v, err := newValidatorKeys()
			if err != nil {
				return nil, err
			}
			name := nodeName(id, j)
			if err := os.MkdirAll(t.nodeDir(name), 0o700); err != nil {
				return nil, err
			}
			peerID, err := v.write(t.nodeDir(name))
			if err != nil {
				return nil, err
			}
			public := v.vote.PublicKey().Bytes()
			keys[i].validators = append(keys[i].validators, v)
			c.Nodes = append(c.Nodes, &Node{
				Name: name, Account: ledger.AccountOf(v.account), Key: public[:],
				Peer: peerID, P2P: next(), API: next(),
			})
		}
		t.Chains = append(t.Chains, c)
	}
	return keys, nil
}

// buildChain writes a chain's authority, its devchain, and its nodes'
// configurations and guards.
func (t *Testnet) buildChain(c *Chain, keys chainKeys, genesis time.Time) error {
	if err := os.MkdirAll(t.chainDir(c.ID), 0o700); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(t.chainDir(c.ID), authorityFile), encodeSeed(keys.authority), 0o600); err != nil {
		return err
	}
	consensus := make([]ed25519.PrivateKey, len(keys.validators))
	for i, v := range keys.validators {
		consensus[i] = v.consensus
	}
	err := devchain.Init(t.devchainDir(c.ID), devchain.Genesis{
		ChainID: c.ID, Validators: len(consensus), ConsensusKeys: consensus, Time: genesis,
	})
	if err != nil {
		return err
	}
	if t.Mode == Docker { // the chain runs on a copy in its volume, see prepare
		if err := publish(t.devchainDir(c.ID)); err != nil {
			return err
		}
	}
	for i, n := range c.Nodes {
		encoded, err := t.configOf(c, n).Encode()
		if err != nil {
			return err
		}
		if err := writeFile(t.nodeConfig(n.Name), encoded, 0o600); err != nil {
			return err
		}
		if t.Mode == Docker { // its guard is in its volume, see prepare
			if err := publish(t.nodeDir(n.Name)); err != nil {
				return err
			}
			continue
		}
		if err := guard.Create(filepath.Join(t.nodeDir(n.Name), "guard"), keys.validators[i].vote.PublicKey().Bytes(), t.Network); err != nil {
			return err
		}
	}
	return nil
}

// publish makes a folder readable for the containers' user. Nobody else gets to it,
// because the home is closed to all others.
func publish(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// configOf is a node's configuration. Paths count from its own folder.
func (t *Testnet) configOf(c *Chain, n *Node) node.Config {
	conf := node.DefaultConfig()
	conf.Name = n.Name
	conf.Chain = c.ID
	conf.Manifest = filepath.Join("..", "..", manifestFile)
	conf.Data = "data"
	conf.HomeChain.RPC = "http://" + c.RPC
	conf.HomeChain.PollInterval = node.Span(300 * time.Millisecond)
	conf.P2P.Listen = []string{"/ip4/127.0.0.1/tcp/" + portOf(n.P2P)}
	conf.P2P.Key = identityFile
	conf.P2P.Peers = t.peersOf(n)
	conf.API.Listen = n.API
	conf.Validator = node.ValidatorConfig{
		Keystore: keystoreFile, PasswordFile: passwordFile, AccountKey: accountFile, Guard: "guard",
	}
	if t.Mode == Docker {
		conf.Data, conf.Validator.Guard = volumePath+"/store", volumePath+"/guard"
		conf.HomeChain.RPC = "http://" + c.ID + ":" + innerRPC
		conf.P2P.Listen = []string{"/ip4/0.0.0.0/tcp/" + innerP2P}
		conf.API.Listen = "0.0.0.0:" + innerAPI
	}
	return conf
}

// peersOf lists whom a node keeps connected with: everybody in a small network, in
// a large one those at distances 1, 2, 4 … around the circle of all nodes.
func (t *Testnet) peersOf(n *Node) (peers []string) {
	const small = 24
	all := t.nodes()
	self := 0
	for all[self].Node != n {
		self++
	}
	for step := 1; step < len(all); {
		peers = append(peers, t.addressInside(all[(self+step)%len(all)].Node))
		if len(all) <= small {
			step++
		} else {
			step *= 2
		}
	}
	return peers
}

// addressInside is where other nodes reach n.
func (t *Testnet) addressInside(n *Node) string {
	if t.Mode == Docker {
		return "/dns4/" + n.Name + "/tcp/" + innerP2P + "/p2p/" + n.Peer
	}
	return n.addressHere()
}

// addressHere is where this machine reaches n.
func (n *Node) addressHere() string {
	return "/ip4/127.0.0.1/tcp/" + portOf(n.P2P) + "/p2p/" + n.Peer
}
