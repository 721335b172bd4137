package main

import (
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// Where the home chain is a beacon chain, the consensus key is the keystore of a
// validator there. Elsewhere such a key is refused: it would answer for nothing.
func TestRegisterBindsABeaconChainsKey(t *testing.T) {
	beacon := ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, home) })
	for name, network := range map[string]*ledgertest.Network{"a beacon chain": beacon, "another": ledgertest.New(2, 2, nil)} {
		t.Run(name, func(t *testing.T) {
			c := newCashierOf(t, network)
			dir := t.TempDir()
			keystore, password, _ := newKeystore(t, dir)
			theirs, theirPassword, info := newKeystore(t, t.TempDir())
			account := filepath.Join(dir, "account.key")
			id := decoded[keyInfo](t, done(t, "keys", "new", "account", "--out", account, "--json")).name()
			c.order(t, "deposit", "--authority-key", c.authority, "--account", id, "--amount", "2_000_000")
			without := []string{"register", "--account-key", account, "--keystore", keystore, "--password-file", password, "--consensus-key", theirs}
			register := append(without, "--consensus-password-file", theirPassword)

			fails(t, exitFailed, []string{"--consensus-password-file"}, append(without, "--node", c.url)...)
			wrong := write(t, dir, "wrong", "horse")
			fails(t, exitFailed, []string{"wrong password for keystore " + theirs, "--consensus-password-file"}, append(without, "--node", c.url, "--consensus-password-file", wrong)...)
			if network != beacon {
				fails(t, exitFailed, []string{"register refused", "type 2"}, append(register, "--node", c.url)...)
				return
			}
			c.order(t, register...)
			v, err := c.mesh.Reader(home).Validator(ledger.AccountID(decodeHex(t, id)))
			if err != nil || v == nil || v.KeyType != attest.KeyEthereum || hex.EncodeToString(v.ConsensusKey) != info.name() {
				t.Errorf("validator %+v, %v", v, err)
			}
		})
	}
}
