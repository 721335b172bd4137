package guard

import (
	"errors"
	"fmt"
)

// What errors of this package are, for errors.Is.
var (
	// ErrExists: there is a guard already where one was to be created.
	ErrExists = errors.New("guard: exists already; open it, or choose another directory")
	// ErrMissing: there is no guard. A key that never signed needs a new one;
	// for any other this is a lost volume or a wrong path.
	ErrMissing = errors.New("guard: missing; if this key has never signed, create one with --new-guard, otherwise find the lost directory or import an export")
	// ErrCorrupt: the directory is not what was written. See [CorruptError].
	ErrCorrupt = errors.New("guard: corrupt")
	// ErrWrongKey: the guard, or the interchange file, is that of another key.
	ErrWrongKey = errors.New("guard: belongs to another key")
	// ErrWrongNetwork: the guard, or the interchange file, is that of another network.
	ErrWrongNetwork = errors.New("guard: belongs to another network")
	// ErrLocked: another process has the guard open. See [LockedError].
	ErrLocked = errors.New("guard: locked")
	// ErrConflict: the slot has another root. See [ConflictError].
	ErrConflict = errors.New("guard: conflicting signature refused")
	// ErrBelowWatermark: the slot is older than its watermark. See [WatermarkError].
	ErrBelowWatermark = errors.New("guard: below the watermark")
	// ErrBroken: writing failed before, so the state of the disk is unknown. See [BrokenError].
	ErrBroken = errors.New("guard: broken")
	// ErrClosed: the guard was closed.
	ErrClosed = errors.New("guard: closed")
	// ErrSlot: the slot has an empty, overlong or unreadable name, or the reserved epoch.
	ErrSlot = errors.New("guard: invalid slot")
	// ErrInterchange: the imported file is not in the interchange format.
	ErrInterchange = errors.New("guard: invalid interchange file")
)

// CorruptError says where a guard's files differ from what was written. It is [ErrCorrupt].
type CorruptError struct {
	// File is the name within the guard's directory.
	File string
	// Record is the line of the log where it shows, from 1; 0 if it is not about one.
	Record uint64
	// Reason is what is wrong.
	Reason string
}

func (e *CorruptError) Error() string {
	where := e.File
	if e.Record != 0 {
		where = fmt.Sprintf("%s at record %d", e.File, e.Record)
	}
	return fmt.Sprintf("%v: %s: %s; keep the directory, and start a new guard from an export or with a watermark above all that this key may have signed", ErrCorrupt, where, e.Reason)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// LockedError names the process that has the guard open. It is [ErrLocked].
type LockedError struct {
	// PID is what the holder wrote about itself, 0 if unknown. A holder in
	// another container counts processes in its own way.
	PID int
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%v by another process: stop it, one process signs with a key", ErrLocked)
	}
	return fmt.Sprintf("%v by process %d: stop it, one process signs with a key", ErrLocked, e.PID)
}

// Is reports whether target is [ErrLocked].
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// ConflictError is the refusal to sign a second root for a slot. It is [ErrConflict].
type ConflictError struct {
	Slot Slot
	// Have is the root on record, Want the one that was refused.
	Have, Want [32]byte
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: %s is on record with %#x, not %#x", ErrConflict, e.Slot, e.Have, e.Want)
}

// Is reports whether target is [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// WatermarkError is the refusal to sign an epoch that the guard has forgotten. It is [ErrBelowWatermark].
type WatermarkError struct {
	Slot Slot
	// Below is the watermark: the first epoch that can be signed.
	Below uint64
}

func (e *WatermarkError) Error() string {
	return fmt.Sprintf("%v: %s is refused, the first epoch that may be signed is %d", ErrBelowWatermark, e.Slot, e.Below)
}

// Is reports whether target is [ErrBelowWatermark].
func (e *WatermarkError) Is(target error) bool { return target == ErrBelowWatermark }

// BrokenError says why a guard refuses everything until it is opened anew. It is
// [ErrBroken] and its cause.
type BrokenError struct {
	// Cause is the first failure, from the file system.
	Cause error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%v: %v; nothing is signed until the disk is well and the guard has been opened anew", ErrBroken, e.Cause)
}

// Is reports whether target is [ErrBroken].
func (e *BrokenError) Is(target error) bool { return target == ErrBroken }

// Unwrap returns the cause.
func (e *BrokenError) Unwrap() error { return e.Cause }
