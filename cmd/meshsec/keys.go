package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

// keyInfo is the public side of a key file.
type keyInfo struct {
	Type      string            `json:"type"` // bls or account
	File      string            `json:"file"`
	PublicKey ledger.HexBytes   `json:"public_key,omitempty"` // of bls
	Account   *ledger.AccountID `json:"account,omitempty"`    // of account
}

func blsInfo(file string, key bls.PublicKey) keyInfo {
	b := key.Bytes()
	return keyInfo{Type: "bls", File: file, PublicKey: b[:]}
}

func accountInfo(file string, key ed25519.PrivateKey) keyInfo {
	id := ledger.AccountOf(key)
	return keyInfo{Type: "account", File: file, Account: &id}
}

// name is the public key in hex: what other commands take.
func (k keyInfo) name() string {
	if k.Account != nil {
		return k.Account.String()
	}
	return hex.EncodeToString(k.PublicKey)
}

func newKeys() *cobra.Command {
	fresh := newKeysBLS() // what "keys new" makes where no kind is named
	fresh.Use, fresh.Short = "new", "Make a key: a validator's, unless another kind is named"
	fresh.AddCommand(newKeysBLS(), newKeysAccount())
	return newGroup("keys", "Make and list keys", fresh, newKeysList())
}

// kdfFlag chooses how a keystore protects its key.
type kdfFlag struct{ kdf bls.KDF }

var kdfNames = []string{"scrypt", "pbkdf2", "cheap"} // in the order of bls.KDF

func (f *kdfFlag) String() string { return kdfNames[f.kdf] }
func (f *kdfFlag) Type() string   { return "name" }

func (f *kdfFlag) Set(s string) error {
	i := slices.Index(kdfNames, s)
	if i < 0 {
		return fmt.Errorf("want one of %v", kdfNames)
	}
	f.kdf = bls.KDF(i)
	return nil
}

func newKeysBLS() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bls", Short: "Make a validator's BLS key in an EIP-2335 keystore", Args: words(),
		Long: `Makes a validator's BLS key and writes it into an EIP-2335 keystore, encrypted with
a password. It is never written in the clear, and nothing is overwritten.`,
	}
	var at place
	var out, passwordFile string
	var kdf kdfFlag
	at.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write (default keys/validator.json in the home)")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", passwordUsage)
	cmd.Flags().Var(&kdf, "kdf", "how dear a guess of the password is: scrypt, pbkdf2, or cheap for networks that are thrown away")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := at.newKey(out, "validator"+keystoreSuffix)
		if err != nil {
			return err
		}
		password, err := readPassword(cmd, passwordFile, true)
		if err != nil {
			return err
		}
		if password == "" {
			return fmt.Errorf("the password is empty: a keystore needs one")
		}
		key, err := bls.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		data, err := bls.EncryptKeystore(key, password, "", kdf.kdf)
		if err != nil {
			return err
		}
		return printNewKey(cmd, *asJSON, blsInfo(path, key.PublicKey()), createFile(path, append(data, '\n')))
	}
	return cmd
}

func newKeysAccount() *cobra.Command {
	cmd := &cobra.Command{
		Use: "account", Short: "Make an account's ed25519 key", Args: words(),
		Long: `Makes the ed25519 key of an account, or of a chain's authority. The file holds its
seed in the clear, readable by you alone: keep it where the collateral is worth it.`,
	}
	var at place
	var out string
	at.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write (default keys/account.key in the home)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := at.newKey(out, "account"+accountSuffix)
		if err != nil {
			return err
		}
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		return printNewKey(cmd, *asJSON, accountInfo(path, key), createFile(path, []byte(hex.EncodeToString(key.Seed())+"\n")))
	}
	return cmd
}

// newKey is where a new key goes; that nothing is there is checked before anybody
// types a password, and again when it is written.
func (p *place) newKey(out, name string) (string, error) {
	if out == "" {
		dir, err := p.folder()
		if err != nil {
			return "", err
		}
		if err := checkHome(dir); err != nil {
			return "", err
		}
		out = filepath.Join(dir, keysFolder, name)
	}
	if _, err := os.Lstat(out); err == nil {
		return "", fmt.Errorf("%s exists already and is left as it is: choose another name with --out", out)
	}
	return out, nil
}

func printNewKey(cmd *cobra.Command, asJSON bool, k keyInfo, written error) error {
	if written != nil {
		return written
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), k)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s key %s\nin %s: make a copy of it, nobody can restore it\n", k.Type, k.name(), k.File)
	return err
}

func newKeysList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the keys of a home with their public keys", Args: words(),
		Long: `Lists keystores (*.json) and account keys (*.key) with their public keys. It asks
for no password: a keystore names its public key in the clear.`,
	}
	var at place
	var dir string
	at.flags(cmd)
	cmd.Flags().StringVar(&dir, "dir", "", "folder to look in (default keys in the home)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if dir == "" {
			home, err := at.folder()
			if err != nil {
				return err
			}
			if err := checkHome(home); err != nil {
				return err
			}
			dir = filepath.Join(home, keysFolder)
		}
		keys, unreadable := listKeys(dir)
		if *asJSON {
			return errors.Join(printJSON(cmd.OutOrStdout(), keys), unreadable)
		}
		t := newTable(cmd.OutOrStdout(), "type", "public key", "file")
		for _, k := range keys {
			t.row(k.Type, k.name(), k.File)
		}
		return errors.Join(t.print(), unreadable)
	}
	return cmd
}

// listKeys reads the public side of all keys of a folder, in the order of their
// names. The error is about those that could not be read, beside the others.
func listKeys(dir string) ([]keyInfo, error) {
	keys := []keyInfo{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return keys, fmt.Errorf("%w: make keys with \"meshsec keys new\", or name their folder with --dir", err)
	}
	var unreadable []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch filepath.Ext(path) {
		case keystoreSuffix:
			key, err := keystoreKey(path)
			if err != nil {
				unreadable = append(unreadable, err)
				continue
			}
			keys = append(keys, blsInfo(path, key))
		case accountSuffix:
			key, err := readAccountKey(path)
			if err != nil {
				unreadable = append(unreadable, err)
				continue
			}
			keys = append(keys, accountInfo(path, key))
		}
	}
	return keys, errors.Join(unreadable...)
}
