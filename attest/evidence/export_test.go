package evidence

import (
	"errors"

	"github.com/meshsec/meshsec/attest/comet"
)

// SignedBlock checks the block of an RPC's answer: its hash, its validators' hash and
// its commit, and says how many signed it.
func SignedBlock(data []byte) (signers int, err error) {
	f, err := parseCometFile(data, 0)
	if err != nil {
		return 0, err
	}
	l := f.lights[0]
	if err := l.Check(); err != nil {
		return 0, err
	}
	all, _, err := l.SignedBy(l.Set, &comet.Forms{})
	return len(all), err
}

// SignBytes are the canonical bytes of both votes of the first double vote in a file.
func SignBytes(data []byte, chainID string) (a, b []byte) {
	f, err := parseCometFile(data, 0)
	if err != nil {
		return nil, nil
	}
	d := f.pieces[0].(*cometDoubleVote)
	return d.a.SignBytes(chainID), d.b.SignBytes(chainID)
}

// ParseCometKeys is how many keys are in a file of keys.
func ParseCometKeys(data []byte) (int, error) {
	keys, err := parseCometKeys(data)
	return len(keys), err
}

// ParseCometFile is how many pieces of evidence are in a file.
func ParseCometFile(data []byte) (int, error) {
	f, err := parseCometFile(data, 0)
	if err != nil {
		return 0, err
	}
	return len(f.pieces), nil
}

// CometJSON is the JSON that protobuf is read as; JSON has none.
func CometJSON(data []byte) ([]byte, error) {
	if _, err := parseCometJSON(data); err == nil || !errors.Is(err, ErrShape) {
		return nil, ErrShape
	}
	return cometJSON(data, 0)
}

// HeaderHash is the hash of a header in JSON.
func HeaderHash(data []byte) []byte {
	o, err := readCometObject(data)
	if err != nil {
		return nil
	}
	return readCometHeader(cometFields{object: o, err: &err}).Hash()
}

// LightBlocks are the two headers of a misbehaviour, with commits and validators.
func LightBlocks(data []byte) (first, second *comet.LightBlock, err error) {
	f, err := parseCometFile(data, 0)
	if err != nil {
		return nil, nil, err
	}
	m := f.pieces[0].(*cometMisbehaviour)
	return m.first, m.second, nil
}
