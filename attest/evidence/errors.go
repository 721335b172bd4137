package evidence

import (
	"errors"
	"fmt"
)

// MaxFile is the size in bytes of the largest file that is parsed. Blocks are the
// largest that carry evidence; CometBFT's default for one is 4 MiB, in JSON a third
// more.
const MaxFile = 16 << 20

// ErrShape: the files are not evidence of this family in any form that it knows.
var ErrShape = errors.New("not evidence in any known form")

// ErrSize: a file is larger than anything of its kind can be.
var ErrSize = errors.New("the file is too large to be evidence")

// Missing is what the caller has to give before the evidence can be judged.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What }

// inFile says which of several files an error is about.
func inFile(i, n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("file %d of %d: %w", i+1, n, err)
}
