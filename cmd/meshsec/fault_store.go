package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/store"
)

// storePage is how many proofs are read from a store at once.
const storePage = 64

// readStore takes the proofs that a stopped node keeps out of its store, with the sets by
// which they are judged: those whose ids begin with the id that is given, or all.
func readStore(cmd *cobra.Command, in *raw, home string, id []string) (all []*built, err error) {
	prefix := ""
	if len(id) > 0 {
		if prefix, err = faultPrefix(cmd, id[0]); err != nil {
			return nil, err
		}
	}
	s, err := openStopped(&place{home: home})
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for cursor := uint64(0); ; {
		page, err := s.Faults(cursor, storePage)
		if err != nil {
			return nil, err
		}
		for _, f := range page {
			cursor = f.Cursor + 1
			if !strings.HasPrefix(hex.EncodeToString(f.ID[:]), prefix) {
				continue
			}
			b, err := s.proof(f, in.chainID)
			if err != nil {
				return nil, err
			}
			all = append(all, b)
		}
		if len(page) < storePage {
			break
		}
	}
	if len(all) == 0 && prefix != "" {
		return nil, fmt.Errorf("%w: the store in %s has no fault %s…", evidence.ErrNoFault, home, prefix)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: the store in %s has none", evidence.ErrNoFault, home)
	}
	return all, nil
}

// proof is a proof of the store with the set of its epoch.
func (s *stopped) proof(f store.Fault, chainID string) (*built, error) {
	accusation, err := attest.Peek(f.Proof)
	if err != nil {
		return nil, fmt.Errorf("fault %x in the store: %w", f.ID, err)
	}
	set, err := s.Set(accusation.ChainID, accusation.Epoch)
	if err != nil {
		return nil, fmt.Errorf("the set of fault %x in the store: %w", f.ID, err)
	}
	encoded, err := attest.EncodeValidatorSet(set.ValidatorSet())
	return &built{f.Proof, s.manifest.Law(), s.manifest, encoded, chainID}, err
}
