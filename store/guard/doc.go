// Package guard remembers what one key has signed, so that it never signs
// against itself (DESIGN.md section 7).
//
// A [Slot] names what may be signed once; the guard holds at most one signing
// root for each. [Guard.Sign] puts (slot, root) on disk and only then calls the
// function that signs. The same root again is signed again, since BLS is
// deterministic; another root is a [ConflictError]. What is older than a
// watermark is refused altogether, which lets the guard forget it: the "minimal"
// protection of EIP-3076.
//
// # On disk
//
// A directory of four names, belonging to one key in one network:
//
//	lock                   flock of the one process that has it open, with its pid
//	head.json              how many records the log has, and the hash of the last
//	log-0000000001.jsonl   one record a line, each with the hash that chains it
//	head.json.tmp          the next head, before it is renamed
//
// A record is appended and synced, then the head is replaced (temporary file,
// sync, rename, sync of the directory), then the signature is made. So:
//
//   - What the head covers is acknowledged. If any byte of it is missing or
//     different the guard does not open: [ErrCorrupt].
//   - Beyond the head there is at most one line, and no signature left for it.
//     Opening completes it where it is whole and drops it where it is torn.
//   - Pruning, importing and repairing write a log of the next generation, and
//     the head switches to it in one rename: all or nothing.
//   - When a write, a sync or a rename fails nobody knows what is on disk.
//     Nothing is signed, and nothing more is until it has been opened anew:
//     [ErrBroken].
//
// It is not kept in Badger, which can open a damaged directory without an error
// and with data missing (DEPENDENCIES.md). What no file can detect is that the
// whole directory was replaced by an older copy of itself: never restore a guard
// from a backup, import an export that was taken after the last signature, or
// raise the watermark ([Guard.Prune]) above all that the key may have signed.
//
// # Who may import it
//
// The node and the command line. It imports nothing of meshsec, knows no clock
// and starts no goroutine. It needs a Unix with flock, on a local file system.
package guard
