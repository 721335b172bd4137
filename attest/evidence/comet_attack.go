package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// cometMisbehaviour are two signed headers for one height, as a light client of IBC
// or Interchain Security takes them; none is trusted more than the other.
type cometMisbehaviour struct {
	first, second *comet.LightBlock
}

func (m *cometMisbehaviour) kind() attest.FaultKind { return attest.FaultLightClientAttack }

func (m *cometMisbehaviour) judge(known *cometKnown) (*reportWriter, error) {
	chainID, wrongChain, err := known.chain(m.first.Header.ChainID)
	if err != nil {
		return nil, err
	}
	r := newCometReport(m.kind().String(), m.first.Header.ChainID, m.first.Header.Height)
	if !conflict(r, chainID, wrongChain, m.first, m.second) {
		return r, nil
	}
	sets := [2]*comet.Set{}
	for i, l := range []*comet.LightBlock{m.first, m.second} {
		if sets[i] = l.Set; l.Set == nil {
			if sets[i] = known.setOf(l.Header); sets[i] == nil {
				return nil, &Missing{fmt.Sprintf("the header %X of height %d comes without its validators: give them with --validators", l.Header.Hash(), l.Header.Height)}
			}
		}
	}
	if known.set != nil && !bytes.Equal(known.set.Hash(), m.first.Header.Validators) && !bytes.Equal(known.set.Hash(), m.second.Header.Validators) {
		r.step("validators", fmt.Errorf("the validator set that was given has the hash %X, which neither header has", known.set.Hash()), "")
		return r, nil
	}
	a, ok := signed(r, known, "commit of header_1", m.first, sets[0])
	if !ok {
		return r, nil
	}
	b, ok := signed(r, known, "commit of header_2", m.second, sets[1])
	if !ok {
		return r, nil
	}
	lunatic := m.first.Header.Contradicts(m.second.Header)
	if !lunatic && m.first.Commit.Round != m.second.Commit.Round {
		return amnesia(r, m.first, m.second), nil
	}
	set := sets[0]
	if known.set != nil {
		set = known.set
	}
	name := "equivocation"
	if lunatic {
		name = "lunatic"
	}
	return convictBoth(r, name, a, b, set), nil
}

// cometAttack is LightClientAttackEvidence: a block that was shown to a light client
// and that the chain never had.
type cometAttack struct {
	conflicting  *comet.LightBlock
	commonHeight int64
	claimed      []comet.Validator // nobody is convicted for being in it
}

func readCometAttack(f cometFields) *cometAttack {
	return &cometAttack{
		conflicting:  readCometLight(f.open("conflictingblock")),
		commonHeight: f.number(64, "commonheight"),
		claimed:      readCometSet(f, "byzantinevalidators").Members,
	}
}

func (a *cometAttack) kind() attest.FaultKind { return attest.FaultLightClientAttack }

func (a *cometAttack) judge(known *cometKnown) (*reportWriter, error) {
	block := a.conflicting
	chainID, wrongChain, err := known.chain(block.Header.ChainID)
	if err != nil {
		return nil, err
	}
	r := newCometReport(a.kind().String(), block.Header.ChainID, block.Header.Height)
	if block.Set == nil {
		r.step("form", errors.New("the conflicting block comes without its validator set"), "")
		return r, nil
	}
	if a.commonHeight <= 0 || a.commonHeight > block.Header.Height {
		r.step("form", fmt.Errorf("the common height %d is not between 1 and %d, the height of the conflicting block", a.commonHeight, block.Header.Height), "")
		return r, nil
	}
	trusted, err := a.trusted(known)
	if err != nil {
		return nil, err
	}
	forward := trusted.Header.Height < block.Header.Height
	compared := conflict
	if forward {
		compared = backwards
	}
	if !compared(r, chainID, wrongChain, block, trusted) {
		return r, nil
	}
	trustedSet := known.setOf(trusted.Header, trusted.Set, block.Set)
	if trustedSet == nil {
		return nil, &Missing{fmt.Sprintf("the validators of %s at height %d are needed: give the answer of the chain's RPC to /validators?height=%d, each page of it, as another FILE",
			block.Header.ChainID, trusted.Header.Height, trusted.Header.Height)}
	}
	forged, ok := signed(r, known, "commit of the conflicting block", block, block.Set)
	if !ok {
		return r, nil
	}
	real, ok := signed(r, known, "commit of the trusted header", trusted, trustedSet)
	if !ok {
		return r, nil
	}
	if !forward && !block.Header.Contradicts(trusted.Header) {
		if block.Commit.Round != trusted.Commit.Round {
			return amnesia(r, block, trusted), nil
		}
		return a.compare(convictBoth(r, "equivocation", forged, real, trustedSet)), nil
	}
	return a.lunatic(r, known, forged, real)
}

// trusted is the chain's header that the conflicting block is compared with: that of its
// height, or of a chain that was not there yet the latest one. Such a block is a lie if
// it was not made after that one (a forward lunatic attack).
func (a *cometAttack) trusted(known *cometKnown) (*comet.LightBlock, error) {
	h := a.conflicting.Header
	if l := known.light(h.ChainID, h.Height); l != nil {
		return l, nil
	}
	if a.commonHeight < h.Height {
		l := known.latest(h.ChainID, a.commonHeight, h.Height)
		switch {
		case l == nil:
		case l.Header.Time.Before(h.Time):
			return nil, &Missing{fmt.Sprintf("nothing is proven yet: the header of %s at height %d is of %v, before the conflicting block of height %d, which is of %v; give the chain's header of that height, or one of a height below that is not before that time",
				h.ChainID, l.Header.Height, l.Header.Time, h.Height, h.Time)}
		default:
			return l, nil
		}
	}
	return nil, &Missing{fmt.Sprintf("to compare with, the signed header of %s at height %d is needed: give the answer of the chain's RPC to /commit?height=%d as another FILE, or to /commit if the chain is not there yet",
		h.ChainID, h.Height, h.Height)}
}

// lunatic convicts those of the common validators who signed the forged block: what
// set that block names is up to who forged it. Which of the two blocks that is, is
// only known if the common validators, whom the caller vouches for, signed the other:
// else a made-up "trusted" header would convict those who signed the true one.
func (a *cometAttack) lunatic(r *reportWriter, known *cometKnown, forged, real map[string]int64) (*reportWriter, error) {
	if a.commonHeight == a.conflicting.Header.Height {
		r.step("attack", errors.New("the conflicting header was made up, but the common height is its own: the blocks have no common one there"), "")
		return r, nil
	}
	common := known.set
	if common == nil {
		return nil, &Missing{fmt.Sprintf("the validators of %s at the common height %d are needed: give them with --validators", a.conflicting.Header.ChainID, a.commonHeight)}
	}
	if power := common.PowerOf(real); !r.must("trusted", 3*power > 2*common.Total(),
		fmt.Errorf("the signers of the trusted header hold %d of %d at the common height %d, which is not more than 2/3: nothing says which of the two headers was made up", power, common.Total(), a.commonHeight),
		"%d of %d at height %d signed the trusted header", power, common.Total(), a.commonHeight) {
		return r, nil
	}
	guilty, power := map[string]int64{}, int64(0)
	for address := range forged {
		if v, ok := common.Find([]byte(address)); ok {
			guilty[address] = v.Power
			power += v.Power
		}
	}
	if r.must("attack", 3*power > common.Total(),
		fmt.Errorf("the signers of the conflicting block hold %d of %d at the common height, which is not more than 1/3", power, common.Total()),
		"lunatic: the header was made up; %d of %d at height %d signed it", power, common.Total(), a.commonHeight) {
		r.convict(guilty, common.Total())
	}
	return a.compare(r), nil
}

// compare notes where the evidence names others than the signatures do.
func (a *cometAttack) compare(r *reportWriter) *reportWriter {
	if !r.Valid {
		return r
	}
	claimed := map[string]bool{}
	for _, v := range a.claimed {
		claimed[fmt.Sprintf("%X", v.Address)] = true
	}
	same := len(claimed) == len(r.Offenders)
	for _, o := range r.Offenders {
		same = same && claimed[o.Name]
	}
	note := "as the evidence lists them"
	if !same {
		note = "derived from the signatures; the evidence lists others, which convicts and acquits nobody"
	}
	r.step("offenders", nil, "%d, %s", len(r.Offenders), note)
	return r
}

// conflict checks that two signed headers are different blocks of one chain and height.
func conflict(r *reportWriter, chainID string, wrongChain error, a, b *comet.LightBlock) bool {
	for _, l := range []*comet.LightBlock{a, b} {
		if err := l.Check(); err != nil {
			return r.step("headers", err, "")
		}
	}
	if a.Header.ChainID != b.Header.ChainID {
		wrongChain = fmt.Errorf("the headers are of two chains, %s and %s", a.Header.ChainID, b.Header.ChainID)
	}
	return r.step("headers", nil, "%X and %X, as their commits name them", a.Header.Hash(), b.Header.Hash()) &&
		r.step("chain", wrongChain, "%s", chainID) &&
		r.must("height", a.Header.Height == b.Header.Height,
			fmt.Errorf("the headers are of two heights, %d and %d", a.Header.Height, b.Header.Height), "%d", a.Header.Height) &&
		r.must("blocks", !bytes.Equal(a.Header.Hash(), b.Header.Hash()),
			fmt.Errorf("both headers are the same block, %X", a.Header.Hash()), "they differ")
}

// backwards checks that a block can't come after the header of a lower height on its
// chain: there, time only goes forward.
func backwards(r *reportWriter, chainID string, wrongChain error, block, trusted *comet.LightBlock) bool {
	for _, l := range []*comet.LightBlock{block, trusted} {
		if err := l.Check(); err != nil {
			return r.step("headers", err, "")
		}
	}
	return r.step("headers", nil, "%X and %X, as their commits name them", block.Header.Hash(), trusted.Header.Hash()) &&
		r.step("chain", wrongChain, "%s", chainID) &&
		r.step("height", nil, "%d, and %d of the trusted header, which the chain had not passed", block.Header.Height, trusted.Header.Height) &&
		r.step("time", nil, "%v, not after %v, when the chain was at height %d", block.Header.Time, trusted.Header.Time, trusted.Header.Height)
}

// signed checks a commit and says who signed.
func signed(r *reportWriter, known *cometKnown, name string, l *comet.LightBlock, set *comet.Set) (map[string]int64, bool) {
	signers, power, err := l.SignedBy(set, &known.forms)
	if !r.step(name, err, "%d of %d validators, with %d of %d, signed in round %d", len(signers), len(set.Members), power, set.Total(), l.Commit.Round) {
		return nil, false
	}
	return signers, true
}

// amnesia: both blocks may have come about in the order of their rounds, and who broke
// the lock in between is not in the signatures.
func amnesia(r *reportWriter, a, b *comet.LightBlock) *reportWriter {
	r.step("attack", nil, "amnesia: signed in rounds %d and %d, which convicts nobody", a.Commit.Round, b.Commit.Round)
	r.Valid = true
	return r
}

// convictBoth convicts who signed both blocks and is in the set.
func convictBoth(r *reportWriter, attack string, a, b map[string]int64, set *comet.Set) *reportWriter {
	guilty, power := map[string]int64{}, int64(0)
	for address := range a {
		v, member := set.Find([]byte(address))
		if _, both := b[address]; both && member {
			guilty[address] = v.Power
			power += v.Power
		}
	}
	if r.must("attack", len(guilty) > 0, errors.New("no validator signed both blocks"),
		"%s: %d validators with %d of %d signed both", attack, len(guilty), power, set.Total()) {
		r.convict(guilty, set.Total())
	}
	return r
}
