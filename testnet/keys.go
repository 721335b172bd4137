package testnet

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger"
)

// validatorKeys are all keys of one validator.
type validatorKeys struct {
	account   ed25519.PrivateKey
	vote      bls.SecretKey
	consensus ed25519.PrivateKey
}

func newValidatorKeys() (k validatorKeys, err error) {
	var failed [3]error
	_, k.account, failed[0] = ed25519.GenerateKey(rand.Reader)
	_, k.consensus, failed[1] = ed25519.GenerateKey(rand.Reader)
	k.vote, failed[2] = bls.GenerateKey(rand.Reader)
	return k, errors.Join(failed[:]...)
}

// write puts what a node needs into its folder: keystore, password, account key,
// libp2p identity. It returns the node's peer id.
func (k validatorKeys) write(dir string) (peerID string, err error) {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	password := hex.EncodeToString(secret)
	// The password lies beside the keystore: a slow key derivation would protect nothing.
	keystore, err := bls.EncryptKeystore(k.vote, password, "", bls.KDFCheap)
	if err != nil {
		return "", err
	}
	err = errors.Join(
		writeFile(filepath.Join(dir, keystoreFile), keystore, 0o600),
		writeFile(filepath.Join(dir, passwordFile), []byte(password+"\n"), 0o600),
		writeFile(filepath.Join(dir, accountFile), encodeSeed(k.account), 0o600),
	)
	if err != nil {
		return "", err
	}
	identity, err := p2p.LoadOrCreateIdentity(filepath.Join(dir, identityFile))
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPrivateKey(identity)
	return id.String(), err
}

// encodeSeed is an ed25519 key as `meshsec keys` writes it: its seed in hex.
func encodeSeed(key ed25519.PrivateKey) []byte {
	return []byte(hex.EncodeToString(key.Seed()) + "\n")
}

func readSeed(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s does not hold a seed of 64 hex digits", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// accountKey is the key of a validator's account.
func (t *Testnet) accountKey(n *Node) (ed25519.PrivateKey, error) {
	return readSeed(filepath.Join(t.nodeDir(n.Name), accountFile))
}

// authorityKey signs what a chain's authority decides, such as its deposits.
func (t *Testnet) authorityKey(chain string) (ed25519.PrivateKey, error) {
	return readSeed(filepath.Join(t.chainDir(chain), authorityFile))
}

// voteKey opens a validator's keystore.
func (t *Testnet) voteKey(n *Node) (bls.SecretKey, error) {
	dir := t.nodeDir(n.Name)
	keystore, err := os.ReadFile(filepath.Join(dir, keystoreFile))
	if err != nil {
		return bls.SecretKey{}, err
	}
	password, err := os.ReadFile(filepath.Join(dir, passwordFile))
	if err != nil {
		return bls.SecretKey{}, err
	}
	return bls.DecryptKeystore(keystore, strings.TrimRight(string(password), "\r\n"))
}

// manifest reads the manifest of t.
func (t *Testnet) manifest() (*ledger.Manifest, error) {
	b, err := os.ReadFile(t.path(manifestFile))
	if err != nil {
		return nil, err
	}
	return ledger.ParseManifest(b)
}
