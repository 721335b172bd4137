package guard

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxName is the largest length in bytes of a chain, kind, subject or network.
const maxName = 256

// Slot names what a key may sign once: the checkpoint of a chain's epoch, or what
// a chain's validator says about a peer in an epoch. Two slots are the same if all
// their fields are.
type Slot struct {
	// Chain is the chain whose validator signs.
	Chain string
	// Kind is what is signed: "checkpoint", "cross".
	Kind string
	// Epoch must be less than the largest uint64, so that a watermark can
	// always be put above it.
	Epoch uint64
	// Subject tells slots of one kind and epoch apart, like the peer of a
	// cross-attestation. It can be empty.
	Subject string
}

// String returns the slot as chain/kind/epoch or chain/kind/epoch/subject.
func (s Slot) String() string {
	if s.Subject == "" {
		return fmt.Sprintf("%s/%s/%d", s.Chain, s.Kind, s.Epoch)
	}
	return fmt.Sprintf("%s/%s/%d/%s", s.Chain, s.Kind, s.Epoch, s.Subject)
}

// validate returns an error that is [ErrSlot] unless the slot reads back from disk
// as exactly itself.
func (s Slot) validate() error {
	if err := s.stream().validate(); err != nil {
		return err
	}
	if err := validateName("subject", s.Subject); err != nil {
		return err
	}
	if s.Epoch == math.MaxUint64 {
		return fmt.Errorf("%w: epoch %d is reserved", ErrSlot, s.Epoch)
	}
	return nil
}

func (s Slot) stream() stream { return stream{Chain: s.Chain, Kind: s.Kind} }

// compare orders slots for files: by chain, kind, epoch, subject.
func (s Slot) compare(t Slot) int {
	if c := s.stream().compare(t.stream()); c != 0 {
		return c
	}
	switch {
	case s.Epoch < t.Epoch:
		return -1
	case s.Epoch > t.Epoch:
		return 1
	}
	return strings.Compare(s.Subject, t.Subject)
}

// stream is a sequence of epochs with one watermark.
type stream struct {
	Chain, Kind string
}

func (s stream) validate() error {
	if s.Chain == "" || s.Kind == "" {
		return fmt.Errorf("%w: chain %q and kind %q must not be empty", ErrSlot, s.Chain, s.Kind)
	}
	if err := validateName("chain", s.Chain); err != nil {
		return err
	}
	return validateName("kind", s.Kind)
}

func (s stream) compare(t stream) int {
	if c := strings.Compare(s.Chain, t.Chain); c != 0 {
		return c
	}
	return strings.Compare(s.Kind, t.Kind)
}

// validateName refuses what JSON can't carry: it would replace invalid UTF-8, and
// the record would come back under another name.
func validateName(field, value string) error {
	if len(value) > maxName {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrSlot, field, len(value), maxName)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("%w: %s %q is not UTF-8", ErrSlot, field, value)
	}
	return nil
}
