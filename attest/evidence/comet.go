package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// Comet verifies evidence of CometBFT chains, v0.34 to v0.38 and v1. Its fields are
// what the evidence may leave out; all may be empty.
type Comet struct {
	ChainID    string   // whose votes they are; without it what the evidence says
	Validators [][]byte // files with the set at the height of the offence (the common height of a lunatic attack), the pages of an RPC's answer one after the other
	Keys       [][]byte // files with keys of validators, in any order, and of others

	// Kind, if not 0, is what protobuf is evidence of that could be more than one.
	Kind attest.FaultKind
}

// maxCometForms is how often all signatures together are tried in another form: what is no
// signature takes some milliseconds, in a few hundred bytes.
const maxCometForms = 32

// Verify judges all evidence in files, in their order. Files may also hold what the
// evidence is compared with: signed headers, and headers with validators.
//
// A piece of evidence that breaks a rule has a report which says so. Errors are
// [ErrShape] if a file holds nothing that is known, [ErrSize], a [*Missing], and those
// of files that are malformed beside the evidence.
func (c Comet) Verify(files ...[]byte) ([]Report, error) {
	known, err := c.known()
	if err != nil {
		return nil, err
	}
	pieces, err := known.readFiles(files)
	if err != nil {
		return nil, err
	}
	if len(pieces) == 0 {
		if len(known.lights) != 2 {
			return nil, &Missing{fmt.Sprintf("there is no evidence in it, only %d blocks without any and %d signed headers: two conflicting ones would be", known.blocks, len(known.lights))}
		}
		pieces = []cometPiece{&cometMisbehaviour{known.lights[0], known.lights[1]}}
	}
	reports := make([]Report, len(pieces))
	for i, p := range pieces {
		r, err := p.judge(known)
		if err != nil {
			return nil, err
		}
		if known.forms.More() > maxCometForms {
			return nil, errors.New("there are many BLS signatures that are not valid, or each in another form: verify the pieces of evidence in several goes")
		}
		reports[i] = r.Report
	}
	return reports, nil
}

// readFiles finds the evidence in files, and keeps what is beside it.
func (k *cometKnown) readFiles(files [][]byte) (pieces []cometPiece, err error) {
	var pages []cometPage
	for i, data := range files {
		f, err := parseCometFile(data, k.kind)
		if err == nil && len(f.pieces)+len(f.lights)+len(f.sets)+f.blocks == 0 {
			err = ErrShape
		}
		if err != nil {
			return nil, inFile(i, len(files), err)
		}
		pieces = append(pieces, f.pieces...)
		k.blocks += f.blocks
		k.keys = append(k.keys, f.keys()...)
		k.sets = append(k.sets, f.sets...)
		pages = append(pages, f.pages...)
		k.lights = append(k.lights, f.lights...)
	}
	k.sets = append(k.sets, joinPages(pages)...)
	return pieces, nil
}

// joinPages makes sets of the pages in which an RPC answers, in their order.
func joinPages(pages []cometPage) (joined []*comet.Set) {
	var heights []int64
	members := map[int64][]comet.Validator{}
	for _, p := range pages {
		if !slices.Contains(heights, p.height) {
			heights = append(heights, p.height)
		}
		members[p.height] = append(members[p.height], p.members...)
	}
	for _, height := range heights {
		joined = append(joined, comet.NewSet(members[height]))
	}
	return joined
}

// known reads what the caller gives.
func (c Comet) known() (*cometKnown, error) {
	known := &cometKnown{chainID: c.ChainID, kind: c.Kind}
	for _, data := range c.Keys {
		keys, err := parseCometKeys(data)
		if err != nil {
			return nil, fmt.Errorf("read the keys: %w", err)
		}
		known.keys = append(known.keys, keys...)
	}
	if len(c.Validators) == 0 {
		return known, nil
	}
	var members []comet.Validator
	missed := 0
	for _, data := range c.Validators {
		f, err := parseCometFile(data, 0)
		if err != nil {
			return nil, fmt.Errorf("read the validators: %w", err)
		}
		for _, l := range f.lights {
			if l.Set != nil {
				f.sets = append(f.sets, l.Set)
			}
		}
		for _, s := range f.sets {
			members = append(members, s.Members...)
		}
		missed = max(missed, f.missed)
	}
	known.set = comet.NewSet(members)
	if err := known.set.Check(); err != nil {
		return nil, fmt.Errorf("read the validators: %w; a mere list of keys is for --keys", err)
	}
	if missed > 0 && len(c.Validators) == 1 {
		return nil, fmt.Errorf("read the validators: %d are missing: the RPC answers in pages, give each of them", missed)
	}
	return known, nil
}
