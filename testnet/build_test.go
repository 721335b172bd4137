package testnet

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
)

var genesis = time.UnixMilli(1_700_000_000_000)

func build(t *testing.T, s Shape) *Testnet {
	t.Helper()
	n, err := Build(filepath.Join(t.TempDir(), "home"), s, genesis)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mask replaces what differs from build to build.
func mask(n *Testnet, text string) string {
	pairs := []string{n.home, "HOME", n.Network, "NETWORK", n.Project, "PROJECT"}
	for _, c := range n.Chains {
		pairs = append(pairs, portOf(c.RPC), "RPC_OF_"+c.ID)
		for _, v := range c.Nodes {
			pairs = append(pairs, portOf(v.API), "API_OF_"+v.Name, portOf(v.P2P), "P2P_OF_"+v.Name, v.Peer, "PEER_"+v.Name)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// tree lists a folder: mode and name of everything in it, but not what is in
// folders of these names, which are other packages' own.
func tree(t *testing.T, dir string, closed ...string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		rel, relErr := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%v %s\n", info.Mode(), rel)
		if slices.Contains(closed, d.Name()) {
			return fs.SkipDir
		}
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHomeHasThisLayout(t *testing.T) {
	for _, s := range []Shape{
		{Mode: Processes, Chains: 2, Validators: 1},
		{Mode: Docker, Chains: 2, Validators: 1, Image: DefaultImage},
	} {
		t.Run(string(s.Mode), func(t *testing.T) {
			n := build(t, s)
			golden(t, "layout-"+string(s.Mode)+".txt", tree(t, n.home, "devchain", "guard"))
		})
	}
}

func TestComposeFile(t *testing.T) {
	n := build(t, Shape{Mode: Docker, Chains: 2, Validators: 1, Image: DefaultImage})
	golden(t, "compose.yaml", mask(n, string(n.compose())))
}

func TestBuiltNetworkHangsTogether(t *testing.T) {
	n := build(t, Shape{Mode: Processes, Chains: 3, Validators: 4})
	m, err := n.manifest()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	if id := m.ID(); n.Network != fmt.Sprintf("%x", id) || m.Genesis != uint64(genesis.UnixMilli()) {
		t.Errorf("network %s, genesis %d", n.Network, m.Genesis)
	}
	for _, c := range n.Chains {
		spec := m.Chain(c.ID)
		authority, err := n.authorityKey(c.ID)
		if err != nil || spec.Authority.Keys[0] != ledger.AccountOf(authority) {
			t.Errorf("authority of %s: %v", c.ID, err)
		}
		consensus, err := devchain.ConsensusKeys(n.devchainDir(c.ID))
		if err != nil || len(consensus) != len(c.Nodes) {
			t.Errorf("devchain of %s: %d validators, %v", c.ID, len(consensus), err)
		}
		for _, v := range c.Nodes {
			checkNode(t, n, c, v)
		}
	}
}

// checkNode reads what a node would read.
func checkNode(t *testing.T, n *Testnet, c *Chain, v *Node) {
	t.Helper()
	conf, err := node.LoadConfig(n.nodeConfig(v.Name))
	if err != nil {
		t.Fatal(err)
	}
	if conf.Name != v.Name || conf.Chain != c.ID || conf.API.Listen != v.API || conf.HomeChain.RPC != "http://"+c.RPC || len(conf.P2P.Peers) != len(n.nodes())-1 {
		t.Errorf("configuration of %s: %+v", v.Name, conf)
	}
	if manifest, err := filepath.EvalSymlinks(conf.Manifest); err != nil || filepath.Base(manifest) != manifestFile {
		t.Errorf("%s: manifest %s, %v", v.Name, conf.Manifest, err)
	}
	account, err := n.accountKey(v)
	if err != nil || ledger.AccountOf(account) != v.Account {
		t.Errorf("account of %s: %v", v.Name, err)
	}
	key, err := n.voteKey(v)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.Open(conf.Validator.Guard, key.PublicKey().Bytes(), n.Network)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Len() != 0 {
		t.Errorf("the guard of %s is not empty", v.Name)
	}
}

func TestContainersKeepEverythingOnTheirVolume(t *testing.T) {
	n := build(t, Shape{Mode: Docker, Chains: 2, Validators: 1, Image: DefaultImage})
	c, err := node.LoadConfig(n.nodeConfig("beta-0"))
	if err != nil {
		t.Fatal(err)
	}
	want := "/data/store /data/guard http://beta:26657 0.0.0.0:7480 /dns4/alpha-0/tcp/7470/p2p/" + n.Chains[0].Nodes[0].Peer
	if got := strings.Join([]string{c.Data, c.Validator.Guard, c.HomeChain.RPC, c.API.Listen, c.P2P.Peers[0]}, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPrepareFillsVolumesOnce(t *testing.T) {
	n := build(t, Shape{Mode: Docker, Chains: 2, Validators: 2, Image: DefaultImage})
	volumes := t.TempDir()
	for range 2 {
		if err := Prepare(n.home, volumes); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range n.Chains {
		seed, err := devchain.ConsensusKeys(n.devchainDir(c.ID))
		copied, copyErr := devchain.ConsensusKeys(filepath.Join(volumes, c.ID, "chain"))
		if err != nil || copyErr != nil || !slices.EqualFunc(seed, copied, func(a, b ed25519.PrivateKey) bool { return a.Equal(b) }) {
			t.Errorf("the chain of %s is another: %v, %v", c.ID, err, copyErr)
		}
		for _, v := range c.Nodes {
			g, err := guard.Open(filepath.Join(volumes, v.Name, "guard"), [48]byte(v.Key), n.Network)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestBuildResumesTheSameShapeOnly(t *testing.T) {
	s := Shape{Mode: Processes, Chains: 1, Validators: 1}
	n := build(t, s)
	again, err := Build(n.home, s, genesis.Add(time.Hour))
	if err != nil || again.Network != n.Network {
		t.Errorf("the second build made %v, %v", again, err)
	}
	_, err = Build(n.home, Shape{Mode: Processes, Chains: 2, Validators: 1}, genesis)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "--purge") {
		t.Errorf("another shape: %v", err)
	}
}

func TestBuildCanBeInterrupted(t *testing.T) {
	s := Shape{Mode: Processes, Chains: 1, Validators: 1}
	n := build(t, s)
	// As if the power had gone just before the end.
	if err := errors.Join(os.Remove(n.path(descriptionFile)), os.WriteFile(n.path(buildingFile), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	again, err := Build(n.home, s, genesis)
	if err != nil || again.Network == n.Network {
		t.Errorf("rebuilt as %v, %v", again, err)
	}
	if _, err := os.Stat(n.path(buildingFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the mark of an unfinished build is still there")
	}
}

func TestOnlyOneBuildsInAHome(t *testing.T) {
	s := Shape{Mode: Processes, Chains: 1, Validators: 1}
	var group sync.WaitGroup
	networks := make(chan string, 4)
	dir := filepath.Join(t.TempDir(), "home")
	for range cap(networks) {
		group.Go(func() {
			n, err := Build(dir, s, genesis)
			switch {
			case err == nil:
				networks <- n.Network
			case !errors.Is(err, errBusy):
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(networks)
	built, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(networks) == 0 {
		t.Error("nobody built it")
	}
	for n := range networks {
		if n != built.Network {
			t.Errorf("one built %s, and the home holds %s", n, built.Network)
		}
	}
	m, err := built.manifest()
	if err != nil {
		t.Fatal(err)
	}
	if id := m.ID(); hex.EncodeToString(id[:]) != built.Network {
		t.Error("the manifest is that of another build")
	}
}

func TestBuildTouchesNothingForeign(t *testing.T) {
	dir := t.TempDir()
	letter := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(letter, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(dir, Shape{Mode: Processes, Chains: 1, Validators: 1}, genesis); err == nil {
		t.Error("it built into a folder with other things")
	}
	if err := Down(t.Context(), dir, true, nil); !errors.Is(err, ErrNoTestnet) {
		t.Errorf("purge: %v", err)
	}
	if got := tree(t, dir); strings.Count(got, "\n") != 2 {
		t.Errorf("it left\n%s", got)
	}
}

func TestShapeHasLimits(t *testing.T) {
	for _, s := range []Shape{
		{Mode: Processes, Chains: 0, Validators: 1},
		{Mode: Processes, Chains: MaxChains + 1, Validators: 1},
		{Mode: Processes, Chains: 1, Validators: 0},
		{Mode: Processes, Chains: 1, Validators: MaxValidators + 1},
		{Mode: "cloud", Chains: 1, Validators: 1},
	} {
		dir := filepath.Join(t.TempDir(), "home")
		if _, err := Build(dir, s, genesis); err == nil {
			t.Errorf("%v was built", s)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v left a folder", s)
		}
	}
}

func TestPurgeRemovesOldVersions(t *testing.T) {
	n := build(t, Shape{Mode: Processes, Chains: 1, Validators: 1})
	if err := os.WriteFile(n.path(descriptionFile), []byte("format = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(n.home); err == nil || !strings.Contains(err.Error(), "--purge") {
		t.Errorf("load: %v", err)
	}
	if err := Down(t.Context(), n.home, true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(n.home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home is still there: %v", err)
	}
}

func TestFreePortsAreAllDifferentAndBelowTheEphemeralOnes(t *testing.T) {
	ports, err := freePorts(300)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, addr := range ports {
		host, port, err := net.SplitHostPort(addr)
		n, convErr := strconv.Atoi(port)
		if err != nil || convErr != nil || host != "127.0.0.1" || n < lowestPort || n >= highestPort || seen[addr] {
			t.Errorf("%s: not a fresh port of loopback", addr)
		}
		seen[addr] = true
	}
}

func TestLargeNetworksAreSparse(t *testing.T) {
	n := &Testnet{Mode: Processes}
	for i := range 6 {
		c := &Chain{ID: chainNames[i]}
		for j := range 20 {
			c.Nodes = append(c.Nodes, &Node{Name: nodeName(c.ID, j), P2P: "127.0.0.1:1", Peer: fmt.Sprint(i, "-", j)})
		}
		n.Chains = append(n.Chains, c)
	}
	for _, s := range n.nodes() {
		peers := n.peersOf(s.Node)
		if len(peers) != 7 { // 1, 2, 4 … 64 steps around a circle of 120
			t.Fatalf("%s has %d peers: %v", s.Name, len(peers), peers)
		}
	}
}

func TestContainersNeedAnImage(t *testing.T) {
	home := t.TempDir()
	_, err := Build(home, Shape{Mode: Docker, Chains: 1, Validators: 1}, time.Now())
	if err == nil || !strings.Contains(err.Error(), "name one, such as "+DefaultImage) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
