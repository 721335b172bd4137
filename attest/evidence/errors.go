package evidence

import "errors"

// ErrShape: the files are not evidence of this family in any form that it knows.
var ErrShape = errors.New("not evidence in any known form")

// ErrSize: a file is larger than anything of its kind can be.
var ErrSize = errors.New("the file is too large to be evidence")

// Missing is what the caller has to give before the evidence can be judged.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What }
