package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// cashier is a fake node with the key files of its chain.
type cashier struct {
	*fakeNode
	authority string // key file
	account   string // key file of validator 0
	id        ledger.AccountID
}

func newCashier(t *testing.T) *cashier {
	t.Helper()
	return newCashierOf(t, ledgertest.New(2, 2, nil))
}

func newCashierOf(t *testing.T, network *ledgertest.Network) *cashier {
	t.Helper()
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNodeOf(t, network)
	c := n.mesh.Chains[0]
	return &cashier{
		fakeNode:  n,
		authority: write(t, t.TempDir(), "authority.key", hex.EncodeToString(c.Authority.Seed())),
		account:   accountKeyFile(t, c.Validators[0]),
		id:        c.Validators[0].ID,
	}
}

// order runs a command that sends an operation and must succeed.
func (c *cashier) order(t *testing.T, args ...string) outcome {
	t.Helper()
	o := decoded[outcome](t, done(t, append(args, "--node", c.url, "--json")...))
	if o.Receipt == nil || !o.Receipt.OK || o.Account == nil || len(o.Operation) != 32 || o.Chain != home {
		t.Fatalf("%+v", o)
	}
	return o
}

func TestCollateralGoesInBehindValidatorsAndOut(t *testing.T) {
	c := newCashier(t)
	beta := c.mesh.Chains[1].Validators[0].ID.String()

	o := c.order(t, "deposit", "--authority-key", c.authority, "--account-key", c.account, "--amount", "400_000")
	if o.Kind != "deposit" || o.Account.Collateral != ledger.Units(ledgertest.Collateral+400_000) || o.Account.ID != c.id {
		t.Errorf("deposit: %+v", o)
	}
	o = c.order(t, "deposit", "--authority-key", c.authority, "--account", c.id.String(), "--amount", "1")
	if o.Account.Collateral != ledger.Units(ledgertest.Collateral+400_001) {
		t.Errorf("the authority's second deposit: %+v", o.Account)
	}
	o = c.order(t, "pledge", "--account-key", c.account, "--consumer", "beta", "--validator", beta, "--amount", "300000", "--ratio", "0.3")
	if len(o.Liens) != 2 || o.Liens[1].Consumer != "beta" || o.Liens[1].Bonded != ledger.Units(300_000) || o.Account.Nonce != 1 {
		t.Errorf("pledge: %+v", o)
	}
	o = c.order(t, "release", "--account-key", c.account, "--consumer", "beta", "--validator", beta, "--amount", "300000")
	if !o.Liens[1].Bonded.IsZero() || o.Liens[1].Amount != ledger.Units(300_000) || o.Account.Nonce != 2 {
		t.Errorf("release: %+v", o)
	}
	o = c.order(t, "withdraw", "--account-key", c.account, "--amount", "100000")
	if o.Account.Nonce != 3 || o.Account.Collateral != ledger.Units(ledgertest.Collateral+300_001) {
		t.Errorf("withdraw: %+v", o)
	}

	out := done(t, "withdraw", "--node", c.url, "--account-key", c.account, "--amount", "1")
	for _, want := range []string{"withdraw executed in block ", " of alpha (epoch 6), operation ", c.id.String(), "1,300,000", "COLLATERAL", "CONSUMER"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestRefusalsAreErrorsWithTheLedgersReason(t *testing.T) {
	c := newCashier(t)
	withdraw := []string{"withdraw", "--node", c.url, "--account-key", c.account, "--amount", "99_000_000"}
	r := fails(t, exitFailed, []string{"withdraw refused in block 1 of alpha: only ", " is free"}, withdraw...)
	if !strings.Contains(r.out, "1,000,000") {
		t.Errorf("the account is not shown: %s", r.out)
	}
	r = meshsec(t, append(withdraw, "--json")...)
	if o := decoded[outcome](t, r.out); r.code != exitFailed || o.Receipt.OK || o.Account.Nonce != 0 {
		t.Errorf("code %d, %+v", r.code, o)
	}
	other := accountKeyFile(t, c.mesh.Chains[0].Validators[1])
	fails(t, exitFailed, []string{"deposit refused", "is not one of the authority's"},
		"deposit", "--node", c.url, "--authority-key", other, "--account", c.id.String(), "--amount", "5")
	fails(t, exitFailed, []string{"the authority's next is 0"},
		"deposit", "--node", c.url, "--authority-key", c.authority, "--account", c.id.String(), "--amount", "5", "--nonce", "7")
	stranger := filepath.Join(t.TempDir(), "stranger.key")
	done(t, "keys", "new", "account", "--out", stranger)
	fails(t, exitFailed, []string{"is not on the ledger of alpha: its authority must deposit something first"},
		"withdraw", "--node", c.url, "--account-key", stranger, "--amount", "1")
	fails(t, exitFailed, []string{"no account key: give its file with --account-key"}, "withdraw", "--node", c.url, "--amount", "1")
}

// What was refused is another operation the next time: it has an answer of its own.
func TestARefusedOrderCanBeSentAgain(t *testing.T) {
	c := newCashier(t)
	withdraw := []string{"withdraw", "--node", c.url, "--account-key", c.account, "--amount", "500_000"}
	fails(t, exitFailed, []string{"withdraw refused in block 1 "}, withdraw...)
	c.order(t, "deposit", "--authority-key", c.authority, "--account-key", c.account, "--amount", "500_000")
	if out := done(t, withdraw...); !strings.Contains(out, "withdraw executed in block 11 of alpha") {
		t.Error(out)
	}
}

func TestWaitingIsOptionalAndBounded(t *testing.T) {
	c := newCashier(t)
	c.lazy = true
	send := []string{"withdraw", "--node", c.url, "--account-key", c.account, "--amount", "3"}
	o := decoded[outcome](t, done(t, append(send, "--no-wait", "--json")...))
	if o.Receipt != nil || o.Account != nil || len(o.Operation) != 32 {
		t.Errorf("%+v", o)
	}
	id := hex.EncodeToString(o.Operation)
	if out := done(t, append(send, "--no-wait")...); !strings.Contains(out, `"meshsec receipt `+id+`" says`) {
		t.Error(out)
	}
	late := []string{"operation " + id + ": not executed in time, it may still be"}
	fails(t, exitFailed, late, append(send, "--timeout", "50ms")...)
	fails(t, exitFailed, late, "receipt", id, "--node", c.url, "--timeout", "50ms")

	c.lazy = false
	done(t, send...) // the same bytes
	if out := done(t, "receipt", id, "--node", c.url); !strings.Contains(out, "in block 1 of alpha (epoch 1): done") {
		t.Error(out)
	}
	r := fails(t, exitFailed, []string{"withdraw refused"}, "withdraw", "--node", c.url, "--account-key", c.account, "--amount", "99_000_000", "--json")
	refused := hex.EncodeToString(decoded[outcome](t, r.out).Operation)
	fails(t, exitFailed, []string{"refused in block 6 of alpha: only "}, "receipt", refused, "--node", c.url)
}

func TestRegisterBindsANewValidator(t *testing.T) {
	c := newCashier(t)
	dir := t.TempDir()
	keystore, password, info := newKeystore(t, dir)
	account := filepath.Join(dir, "account.key")
	id := decoded[keyInfo](t, done(t, "keys", "new", "account", "--out", account, "--json")).name()
	seed := [32]byte{7}
	consensus := ed25519.NewKeyFromSeed(seed[:])
	consensusFile := write(t, dir, "priv_validator_key.json", fmt.Sprintf(
		`{"pub_key":{"type":"tendermint/PubKeyEd25519","value":%q},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":%q}}`,
		base64.StdEncoding.EncodeToString(consensus.Public().(ed25519.PublicKey)), base64.StdEncoding.EncodeToString(consensus)))
	register := []string{"register", "--account-key", account, "--keystore", keystore, "--consensus-key", consensusFile, "--password-file", password}

	fails(t, exitFailed, []string{"its authority must deposit something first"}, append(register, "--node", c.url)...)
	c.order(t, "deposit", "--authority-key", c.authority, "--account", id, "--amount", "2_000_000")
	wrong := write(t, dir, "wrong", "horse")
	fails(t, exitFailed, []string{"wrong password for keystore " + keystore}, append(register, "--node", c.url, "--password-file", wrong)...)
	fails(t, exitFailed, []string{"no terminal to ask for the password"}, "register", "--node", c.url, "--account-key", account, "--keystore", keystore, "--consensus-key", consensusFile)
	fails(t, exitFailed, []string{"no keystore: give it with --keystore"}, "register", "--node", c.url, "--account-key", account, "--consensus-key", consensusFile)

	if o := c.order(t, register...); o.Kind != "register" || o.Account.Nonce != 1 {
		t.Errorf("%+v", o)
	}
	v, err := c.mesh.Reader(home).Validator(ledger.AccountID(decodeHex(t, id)))
	if err != nil || v == nil || hex.EncodeToString(v.Key[:]) != info.name() {
		t.Errorf("validator %+v, %v", v, err)
	}
	fails(t, exitFailed, []string{"register refused", "registered before"}, append(register, "--node", c.url)...)
	c.order(t, "pledge", "--account-key", account, "--consumer", home, "--validator", id, "--amount", "1_000_000", "--ratio", "0.5")
}

func decodeHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	ok(t, err)
	return b
}

// The keys and the network come from the configuration where nothing else is said;
// a node that does not belong to it gets nothing signed.
func TestOrdersStayInTheConfiguredNetwork(t *testing.T) {
	c := newCashier(t)
	dir := filepath.Join(t.TempDir(), "home")
	text, err := c.mesh.Manifest.Encode()
	ok(t, err)
	manifest := write(t, t.TempDir(), "manifest.toml", string(text))
	api := strings.TrimPrefix(c.url, "http://")
	done(t, "init", "--home", dir, "--manifest", manifest, "--chain", home, "--api", api, "--account-key", c.account)

	out := done(t, "withdraw", "--home", dir, "--amount", "2")
	if !strings.Contains(out, "withdraw executed") {
		t.Error(out)
	}
	c.mu.Lock()
	c.status.Chain = "beta"
	c.mu.Unlock()
	fails(t, exitFailed, []string{"works for chain beta, the configuration for alpha"}, "withdraw", "--home", dir, "--amount", "2")
	c.mu.Lock()
	c.status.Chain, c.status.Network = home, strings.Repeat("00", 32)
	c.mu.Unlock()
	fails(t, exitFailed, []string{"is of network 00000000…, the manifest "}, "withdraw", "--home", dir, "--amount", "2")
	c.mu.Lock()
	c.status.Network = "?"
	c.mu.Unlock()
	fails(t, exitFailed, []string{"is no network id"}, "withdraw", "--home", dir, "--amount", "2")
}

// A node that took something else than what was sent is not to be trusted.
func TestStrangeNodesAreNoticed(t *testing.T) {
	c := newCashier(t)
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/status":
			fmt.Fprintf(w, `{"chain":"alpha","network":%q}`, c.mesh.ID.String())
		case "/v1/operations":
			fmt.Fprintf(w, `{"id":%q}`, strings.Repeat("00", 32))
		default:
			if strings.HasPrefix(r.URL.Path, "/v1/operations/") {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, `{"chain":"alpha"}`)
		}
	}))
	t.Cleanup(strange.Close)
	fails(t, exitFailed, []string{"another operation"},
		"deposit", "--node", strange.URL, "--authority-key", c.authority, "--account", c.id.String(), "--amount", "5", "--nonce", "0")
}
