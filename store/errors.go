package store

import (
	"errors"
	"fmt"
)

// What errors of this package are, for errors.Is.
var (
	// ErrCorrupt: the directory is not as it was left. See [CorruptError].
	ErrCorrupt = errors.New("store: corrupt")
	// ErrLocked: another process, or another Store of this one, has it open.
	ErrLocked = errors.New("store: locked by another process: stop it, or choose another directory")
	// ErrWrongNetwork: it is the store of another manifest. See [NetworkError].
	ErrWrongNetwork = errors.New("store: belongs to another network")
	// ErrForeign: the directory has other contents than a store.
	ErrForeign = errors.New("store: not a store: choose an empty directory")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrBroken: a write failed before, so that what is on the disk is unknown. See [BrokenError].
	ErrBroken = errors.New("store: broken")
	// ErrDiskFull: there is too little room to go on safely; nothing was written.
	ErrDiskFull = errors.New("store: the disk is nearly full: make room, then it goes on")
	// ErrUnknownChain: the manifest has no chain of that id.
	ErrUnknownChain = errors.New("store: no such chain in the manifest")
	// ErrNotFound: there is nothing of that epoch or id yet.
	ErrNotFound = errors.New("store: not found")
	// ErrPruned: what is asked for of that epoch is no longer kept, or never was, since
	// the chain began with a snapshot.
	ErrPruned = errors.New("store: pruned: only what is newer is kept here")
	// ErrOrder: the epoch is not the one after the head. See [OrderError].
	ErrOrder = errors.New("store: epoch is out of order")
	// ErrResult: a result contradicts itself or does not continue the head. See [ResultError].
	ErrResult = errors.New("store: result refused")
	// ErrConflict: there is a certificate for another checkpoint. See [ConflictError].
	ErrConflict = errors.New("store: conflicting certificate")
	// ErrDiverged: running the journal again gives another outcome. See [ReplayError].
	ErrDiverged = errors.New("store: replay differs from the journal")
)

// CorruptError says what of a store is not as it was left. It is [ErrCorrupt].
type CorruptError struct {
	Dir    string // empty in memory
	Reason string
	Cause  error // may be nil
}

func (e *CorruptError) Error() string {
	reason := e.Reason
	if e.Cause != nil {
		reason = fmt.Sprintf("%s: %v", reason, e.Cause)
	}
	return fmt.Sprintf("%v: %s; put the directory %q aside, and let the node sync into a new one", ErrCorrupt, reason, e.Dir)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

// NetworkError names both networks. It is [ErrWrongNetwork].
type NetworkError struct {
	Have, Want [32]byte
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%v: it is %x, the manifest is %x: use the manifest that it was made with, or another directory", ErrWrongNetwork, e.Have, e.Want)
}

// Is reports whether target is [ErrWrongNetwork].
func (e *NetworkError) Is(target error) bool { return target == ErrWrongNetwork }

// BrokenError says why a store refuses to write. It is [ErrBroken] and its cause.
type BrokenError struct {
	Cause error // the first failure
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%v: %v; see to the disk and start again: nothing that was acknowledged is lost", ErrBroken, e.Cause)
}

// Is reports whether target is [ErrBroken].
func (e *BrokenError) Is(target error) bool { return target == ErrBroken }

// Unwrap returns the cause.
func (e *BrokenError) Unwrap() error { return e.Cause }

// OrderError is a commit of an epoch that is not the next one. It is [ErrOrder].
type OrderError struct {
	Chain      string
	Head, Have uint64 // the last epoch committed, and the one that came
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("%v: %s is at epoch %d and cannot take epoch %d next", ErrOrder, e.Chain, e.Head, e.Have)
}

// Is reports whether target is [ErrOrder].
func (e *OrderError) Is(target error) bool { return target == ErrOrder }

// ResultError says what is wrong with a result. It is [ErrResult].
type ResultError struct {
	Chain  string
	Epoch  uint64
	Reason string
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("%v: %s epoch %d: %s", ErrResult, e.Chain, e.Epoch, e.Reason)
}

// Is reports whether target is [ErrResult].
func (e *ResultError) Is(target error) bool { return target == ErrResult }

// ConflictError is two certificates of one epoch about two checkpoints: whoever signed
// both is convicted by them. It is [ErrConflict].
type ConflictError struct {
	Chain      string
	Epoch      uint64
	Have, Want [32]byte // roots of the checkpoints: the one kept, and the one refused
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: %s epoch %d is certified with %x, not %x: this is evidence of a fork", ErrConflict, e.Chain, e.Epoch, e.Have, e.Want)
}

// Is reports whether target is [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// ReplayError is the first difference between the journal and what running it again
// gives. It is [ErrDiverged], and Cause if that is not nil.
type ReplayError struct {
	Chain string
	Epoch uint64
	Step  int // index in the epoch's transcript; -1 if it is not about a step
	// What differs, with both values.
	Reason string
	Cause  error
}

func (e *ReplayError) Error() string {
	where := fmt.Sprintf("%s epoch %d", e.Chain, e.Epoch)
	if e.Step >= 0 {
		where = fmt.Sprintf("%s step %d", where, e.Step)
	}
	if e.Cause != nil {
		return fmt.Sprintf("%v: %s: %s: %v", ErrDiverged, where, e.Reason, e.Cause)
	}
	return fmt.Sprintf("%v: %s: %s; another version of this program, or a damaged store, wrote the journal", ErrDiverged, where, e.Reason)
}

// Is reports whether target is [ErrDiverged].
func (e *ReplayError) Is(target error) bool { return target == ErrDiverged }

// Unwrap returns the cause.
func (e *ReplayError) Unwrap() error { return e.Cause }
