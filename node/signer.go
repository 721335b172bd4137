package node

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
)

// Signer makes a validator's signatures. It may sit in another process or on another
// machine; then it is that one's guard that counts. Sign is called from one goroutine,
// Key from any.
type Signer interface {
	// Key is the validator's public key, compressed.
	Key() [48]byte
	// Sign signs a signing root, at most one for each slot, ever: the second one is
	// guard.ErrConflict.
	Sign(ctx context.Context, slot guard.Slot, root [32]byte) ([96]byte, error)
	Close() error
}

// guardKeep is how many slots a guard holds before old ones are pruned, and
// guardEpochs how many epochs stay.
const (
	guardKeep   = 8192
	guardEpochs = 1024
)

// localSigner is a key in memory behind a guard on disk.
type localSigner struct {
	key   bls.SecretKey
	guard *guard.Guard
}

// NewLocalSigner opens the guard of a key. create makes an empty one where there is
// none, which is right only for a key that has never signed.
func NewLocalSigner(key bls.SecretKey, dir string, network attest.Network, create bool) (Signer, error) {
	public := key.PublicKey().Bytes()
	if create {
		if err := guard.Create(dir, public, network.String()); err != nil {
			return nil, fmt.Errorf("make the guard %s: %w", dir, err)
		}
	}
	g, err := guard.Open(dir, public, network.String())
	if err != nil {
		return nil, err // which names the folder
	}
	return &localSigner{key, g}, nil
}

func (s *localSigner) Key() [48]byte { return s.key.PublicKey().Bytes() }

func (s *localSigner) Sign(_ context.Context, slot guard.Slot, root [32]byte) (signature [96]byte, err error) {
	b, err := s.guard.Sign(slot, root, func() ([]byte, error) {
		b := s.key.Sign(root[:]).Bytes()
		return b[:], nil
	})
	if err != nil {
		return signature, err
	}
	if s.guard.Len() > guardKeep && slot.Epoch > guardEpochs {
		if err := s.guard.Prune(slot.Chain, slot.Kind, slot.Epoch-guardEpochs); err != nil {
			return signature, err
		}
	}
	return [96]byte(b), nil
}

func (s *localSigner) Close() error { return s.guard.Close() }

// The guard's kinds of slots.
const (
	slotCheckpoint = "checkpoint"
	slotCross      = "cross"
)

func signAttestation(ctx context.Context, s Signer, net attest.Network, c *attest.Checkpoint) (*attest.Attestation, error) {
	slot := guard.Slot{Chain: string(c.ChainID), Kind: slotCheckpoint, Epoch: c.Epoch}
	signature, err := s.Sign(ctx, slot, c.SigningRoot(net))
	if err != nil {
		return nil, err
	}
	return &attest.Attestation{Checkpoint: *c, Signer: s.Key(), Signature: signature}, nil
}

func signCrossAttestation(ctx context.Context, s Signer, net attest.Network, c *attest.CrossClaim) (*attest.CrossAttestation, error) {
	slot := guard.Slot{Chain: string(c.ChainID), Kind: slotCross, Epoch: c.Epoch, Subject: string(c.Peer)}
	signature, err := s.Sign(ctx, slot, c.SigningRoot(net))
	if err != nil {
		return nil, err
	}
	return &attest.CrossAttestation{Claim: *c, Signer: s.Key(), Signature: signature}, nil
}

// openSigner opens what the configuration names; nil if it names no keystore.
func openSigner(c ValidatorConfig, network attest.Network, newGuard bool) (Signer, error) {
	if c.Keystore == "" {
		return nil, nil
	}
	password, err := readSecret(c.PasswordFile, "validator.password_file")
	if err != nil {
		return nil, err
	}
	keystore, err := readSecret(c.Keystore, "validator.keystore")
	if err != nil {
		return nil, err
	}
	key, err := bls.DecryptKeystore([]byte(keystore), password)
	if err != nil {
		return nil, fmt.Errorf("validator.keystore %s: %w", c.Keystore, err)
	}
	return NewLocalSigner(key, c.Guard, network, newGuard)
}

// readAccount reads the account's seed; the zero account if there is no file.
func readAccount(path string) (id ledger.AccountID, err error) {
	if path == "" {
		return id, nil
	}
	text, err := readSecret(path, "validator.account_key")
	if err != nil {
		return id, err
	}
	seed, err := hex.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return id, errors.New("validator.account_key: " + path + " does not hold an ed25519 seed of 64 hex digits")
	}
	public, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		return id, errors.New("validator.account_key: the public key is not ed25519")
	}
	return ledger.AccountID(public), nil
}
