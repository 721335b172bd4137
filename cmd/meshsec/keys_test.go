package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

// newKeystore makes a keystore with the password "correct horse".
func newKeystore(t *testing.T, dir string) (file, passwordFile string, info keyInfo) {
	t.Helper()
	passwordFile = write(t, dir, "password", "correct horse\n")
	file = filepath.Join(dir, keysFolder, "validator.json")
	info = decoded[keyInfo](t, done(t, "keys", "new", "bls", "--home", dir, "--password-file", passwordFile, "--kdf", "cheap", "--json"))
	if info.Type != "bls" || info.File != file || info.Account != nil {
		t.Fatalf("%+v", info)
	}
	return file, passwordFile, info
}

func TestNewKeysOpenAndStayPrivate(t *testing.T) {
	dir := t.TempDir()
	file, passwordFile, info := newKeystore(t, dir)
	key, err := openKeystore(file, "correct horse", "")
	ok(t, err)
	if public := key.PublicKey().Bytes(); hex.EncodeToString(public[:]) != info.name() {
		t.Errorf("the keystore holds %x, printed was %s", public, info.name())
	}
	accountFile := filepath.Join(dir, keysFolder, "account.key")
	made := decoded[keyInfo](t, done(t, "keys", "new", "account", "--home", dir, "--json"))
	account, err := readAccountKey(accountFile)
	ok(t, err)
	if made.Account == nil || *made.Account != ledger.AccountOf(account) || made.PublicKey != nil {
		t.Errorf("%+v", made)
	}
	secret := key.Bytes()
	for _, f := range []string{file, accountFile} {
		stat, err := os.Stat(f)
		ok(t, err)
		if stat.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, stat.Mode())
		}
	}
	for _, out := range []string{
		done(t, "keys", "list", "--home", dir),
		done(t, "keys", "list", "--dir", filepath.Join(dir, keysFolder), "--json"),
		done(t, "keys", "new", "bls", "--out", filepath.Join(dir, "b.json"), "--password-file", passwordFile, "--kdf", "cheap"),
		done(t, "keys", "new", "account", "--out", filepath.Join(dir, "a.key")),
	} {
		for _, private := range []string{hex.EncodeToString(account.Seed()), hex.EncodeToString(secret[:]), "correct horse"} {
			if strings.Contains(out, private) {
				t.Errorf("a secret was printed: %s", out)
			}
		}
	}
	list := decoded[[]keyInfo](t, done(t, "keys", "list", "--home", dir, "--json"))
	if len(list) != 2 || list[0].name() != made.name() || list[1].name() != info.name() {
		t.Errorf("%+v", list)
	}
}

func TestKeysAreNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	file, passwordFile, _ := newKeystore(t, dir)
	before, err := os.ReadFile(file)
	ok(t, err)
	fails(t, exitFailed, []string{file + " exists already and is left as it is"},
		"keys", "new", "bls", "--home", dir, "--password-file", passwordFile, "--kdf", "cheap")
	fails(t, exitFailed, []string{"exists already"}, "keys", "new", "account", "--out", file)
	after, err := os.ReadFile(file)
	ok(t, err)
	if string(before) != string(after) {
		t.Error("the keystore changed")
	}
}

func TestKeysNeedAPassword(t *testing.T) {
	dir := t.TempDir()
	fails(t, exitFailed, []string{"no terminal to ask for the password: give it with --password-file"}, "keys", "new", "bls", "--home", dir)
	fails(t, exitFailed, []string{"the password is empty"}, "keys", "new", "bls", "--home", dir, "--password-file", write(t, dir, "empty", "\n"))
	fails(t, exitFailed, []string{"no such file"}, "keys", "new", "bls", "--home", dir, "--password-file", filepath.Join(dir, "none"))
	if _, err := os.Stat(filepath.Join(dir, keysFolder)); err == nil {
		t.Error("something was written")
	}
}

func TestAPasswordFileOfAnotherKindIsRefused(t *testing.T) {
	dir := t.TempDir()
	huge := write(t, dir, "huge", "")
	ok(t, os.Truncate(huge, 1<<30))
	fails(t, exitFailed, []string{"huge has more than 65536 bytes, which no such file has"}, "keys", "new", "bls", "--out", filepath.Join(dir, "key.json"), "--password-file", huge)
}

func TestListNamesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	_, _, info := newKeystore(t, dir)
	bad := write(t, filepath.Join(dir, keysFolder), "bad.key", "not a key\n")
	r := fails(t, exitFailed, []string{bad + " is not an account key"}, "keys", "list", "--home", dir)
	if !strings.Contains(r.out, info.name()) {
		t.Errorf("the good key is missing: %s", r.out)
	}
	fails(t, exitFailed, []string{`make keys with "meshsec keys new"`}, "keys", "list", "--home", t.TempDir())
}

func TestBrokenKeyFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	file, _, _ := newKeystore(t, dir)
	if _, err := openKeystore(file, "wrong", ""); err == nil || !strings.Contains(err.Error(), "wrong password for keystore "+file) {
		t.Error(err)
	}
	for name, content := range map[string]string{
		"empty": "", "text": "hello", "object": "{}", "without key": `{"crypto":{},"pubkey":""}`, "short key": `{"crypto":{},"pubkey":"00"}`,
	} {
		if _, err := keystoreKey(write(t, dir, "k.json", content)); err == nil {
			t.Errorf("keystore %s was read", name)
		}
	}
	seed := strings.Repeat("00", 32)
	good := `{"address":"","pub_key":{"type":"tendermint/PubKeyEd25519","value":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA7aie8zrakLWKjqNAqbw1zZTIVdx3iQ6Y6wEihi1naKQ=="}}`
	key, err := readConsensusKey(write(t, dir, "priv_validator_key.json", good))
	ok(t, err)
	if hex.EncodeToString(key.Seed()) != seed {
		t.Errorf("seed %x", key.Seed())
	}
	for name, content := range map[string]string{
		"text":        "hello",
		"other type":  strings.ReplaceAll(good, "PrivKeyEd25519", "PrivKeySecp256k1"),
		"other half":  strings.ReplaceAll(good, "aie8zrak", "bie8zrak"),
		"other key":   strings.Replace(good, "O2onvM62", "P2onvM62", 1),
		"not base64":  strings.ReplaceAll(good, "AAAA", "!!!!"),
		"nothing":     "{}",
		"wrong shape": `{"priv_key":7}`,
	} {
		if _, err := readConsensusKey(write(t, dir, "bad.json", content)); err == nil {
			t.Errorf("consensus key with %s was read", name)
		}
	}
	_, private, _ := strings.Cut(good, `"priv_key"`)
	for content, want := range map[string]string{
		`{"priv_key"` + private: "has no public key, as a node_key.json of CometBFT, which signs no blocks: give the priv_validator_key.json beside it",
		"{}":                    "is neither a priv_validator_key.json of CometBFT nor an EIP-2335 keystore",
	} {
		if _, err := readConsensusKey(write(t, dir, "bad.json", content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", content, err, want)
		}
	}
	if _, err := bls.DecryptKeystore([]byte(good), ""); err == nil {
		t.Error("a consensus key opened as a keystore")
	}
}

// FuzzConsensusKey: whatever the file holds, there is a key that fits or an error.
func FuzzConsensusKey(f *testing.F) {
	f.Add([]byte(`{"pub_key":{"value":"AA=="},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"AA=="}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "k.json")
		ok(t, os.WriteFile(path, data, 0o600))
		if key, err := readConsensusKey(path); err == nil && len(key) != 64 {
			t.Errorf("%d bytes", len(key))
		}
		_, _ = keystoreKey(path)
		_, _ = readAccountKey(path)
	})
}
