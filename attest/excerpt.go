package attest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// NewExcerpt shows n steps of a transcript, from an index on. Of no steps it shows only
// that the transcript has none, if that is so.
func NewExcerpt(steps []*Step, first, n int) Excerpt {
	e := Excerpt{Length: uint64(len(steps)), First: uint64(first), Steps: steps[first : first+n]}
	if n > 0 {
		e.Branch = rangeBranch(stepRoots(steps), e.First, uint64(n))
	}
	return e
}

// Empty says whether nothing is shown at all.
func (e *Excerpt) Empty() bool {
	return e.Length == 0 && e.First == 0 && len(e.Steps) == 0 && len(e.Branch) == 0
}

// Of says whether the steps are those of the transcript that a checkpoint's OpsRoot
// commits to. Whatever e is made of, there is only one excerpt of the same steps that is.
func (e *Excerpt) Of(opsRoot [32]byte) bool {
	for _, s := range e.Steps {
		if s == nil {
			return false
		}
	}
	for _, sibling := range e.Branch {
		if len(sibling) != 32 {
			return false
		}
	}
	root, ok := rangeRoot(stepRoots(e.Steps), e.First, e.Length, e.Branch)
	return ok && root == opsRoot
}

// String says which steps are shown.
func (e *Excerpt) String() string {
	return fmt.Sprintf("steps %d to %d of %d", e.First, e.First+uint64(len(e.Steps)), e.Length)
}

func stepRoots(steps []*Step) [][32]byte {
	roots := make([][32]byte, len(steps))
	for i, s := range steps {
		roots[i] = mustRoot(s)
	}
	return roots
}

// transcriptDepth is that of the tree of a transcript's steps, of which there are at most
// 2^20.
const transcriptDepth = 20

// zeroRoots are the roots of subtrees of a list without any element, by their depth.
var zeroRoots = func() (roots [transcriptDepth + 1][32]byte) {
	for i := range transcriptDepth {
		roots[i+1] = pairRoot(roots[i][:], roots[i][:])
	}
	return roots
}()

func pairRoot(left, right []byte) [32]byte {
	var b [64]byte
	copy(b[:32], left)
	copy(b[32:], right)
	return sha256.Sum256(b[:])
}

// rangeRoot is the hash tree root of a transcript of so many steps, given the roots of
// some in a row from index first on, and their siblings in the order in which they are
// needed, from the leaves up, left before right. Those beyond the end are not among
// them. It is not ok if the branch is not exactly that.
func rangeRoot(nodes [][32]byte, first, length uint64, branch [][]byte) (root [32]byte, ok bool) {
	n := uint64(len(nodes))
	if length > 1<<transcriptDepth || n > length || first > length-n || n == 0 && length > 0 {
		return root, false
	}
	next := func() (sibling [32]byte) {
		if ok = ok && len(branch) > 0; ok {
			sibling, branch = [32]byte(branch[0]), branch[1:]
		}
		return sibling
	}
	ok = true
	width := length
	for depth := range transcriptDepth {
		if n == 0 {
			break
		}
		if first%2 == 1 {
			nodes, first = append([][32]byte{next()}, nodes...), first-1
		}
		if end := first + uint64(len(nodes)); end%2 == 1 && end < width {
			nodes = append(nodes, next())
		} else if end%2 == 1 {
			nodes = append(nodes, zeroRoots[depth])
		}
		above := make([][32]byte, len(nodes)/2)
		for i := range above {
			above[i] = pairRoot(nodes[2*i][:], nodes[2*i+1][:])
		}
		nodes, first, width = above, first/2, (width+1)/2
	}
	root = zeroRoots[transcriptDepth]
	if n > 0 {
		root = nodes[0]
	}
	var count [32]byte
	binary.LittleEndian.PutUint64(count[:], length)
	return pairRoot(root[:], count[:]), ok && len(branch) == 0
}

// rangeBranch are the siblings that [rangeRoot] needs of n nodes from index first on.
func rangeBranch(all [][32]byte, first, n uint64) (branch [][]byte) {
	end := first + n
	for depth := range transcriptDepth {
		if first%2 == 1 {
			first--
			branch = append(branch, all[first][:])
		}
		if end%2 == 1 {
			if end < uint64(len(all)) {
				branch = append(branch, all[end][:])
			}
			end++
		}
		above := make([][32]byte, (len(all)+1)/2)
		for i := range above {
			right := zeroRoots[depth]
			if 2*i+1 < len(all) {
				right = all[2*i+1]
			}
			above[i] = pairRoot(all[2*i][:], right[:])
		}
		all, first, end = above, first/2, end/2
	}
	return branch
}
