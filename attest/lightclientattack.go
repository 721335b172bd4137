package attest

import (
	"bytes"
	"math"

	"github.com/meshsec/meshsec/attest/comet"
)

// Attack says what a [LightClientAttack] shows.
type Attack uint8

// The attacks.
const (
	// AttackLunatic: the conflicting block has the canonical one's parent, and says
	// something else of what follows from that parent alone. No honest validator signs
	// it, in any round; who did is convicted.
	AttackLunatic Attack = iota + 1
	// AttackEquivocation: both blocks are signed in one round. Who signed both is
	// convicted.
	AttackEquivocation
	// AttackFork: so much of the chain's own power signed the conflicting block that at
	// least a third of it must have broken a rule. Who did can't be seen: an honest
	// validator may sign two blocks in two rounds (amnesia), and one on a branch whose
	// parents are others. Nobody is convicted, the chain is halted.
	AttackFork
)

var attackNames = [...]string{AttackLunatic: "lunatic", AttackEquivocation: "equivocation", AttackFork: "fork"}

// String is the attack's stable name.
func (a Attack) String() string { return attackNames[a] }

// Attack is which of the three forms the proof has.
func (a *LightClientAttack) Attack() Attack {
	switch {
	case len(a.Validators) > 0:
		return AttackFork
	case len(a.Own) > 0:
		return AttackEquivocation
	}
	return AttackLunatic
}

// sibling says whether both blocks have one parent, or are both first blocks.
func (a *LightClientAttack) sibling() bool {
	return a.Canonical.Parent.Hash == a.Conflicting.Parent.Hash
}

// lunatic says whether the conflicting header can't be valid, given the canonical one.
// First blocks are spared, whose state comes from a genesis file that neither names.
func (a *LightClientAttack) lunatic() bool {
	chain := a.Certificate.Checkpoint.ChainID
	return a.sibling() && !a.Canonical.Parent.isNil() && a.Conflicting.comet(chain).Contradicts(a.Canonical.comet(chain))
}

// conflictingID is how signers of the conflicting block name it.
func (a *LightClientAttack) conflictingID() comet.BlockID {
	hash := a.Conflicting.hash(a.Certificate.Checkpoint.ChainID)
	return comet.BlockID{Hash: hash[:], PartsTotal: int64(a.PartsTotal), PartsHash: a.PartsHash[:]}
}

// check is everything but the signatures, and that the bitfields fit the set.
func (a *LightClientAttack) check() error {
	if err := a.Certificate.check(); err != nil {
		return err
	}
	if err := a.checkBlocks(); err != nil {
		return err
	}
	if err := checkPrecommits(a.Signers, a.Precommits); err != nil {
		return err
	}
	if len(a.Own) > 1 || len(a.Own) == 1 && a.Own[0] == nil || len(a.Validators) > MaxValidators {
		return refuse(RuleEncoding, "%d commits of the chain's own block, %d validators", len(a.Own), len(a.Validators))
	}
	switch a.Attack() {
	case AttackFork:
		return a.checkFork()
	case AttackEquivocation:
		return a.checkEquivocation()
	}
	if !a.lunatic() {
		return refuse(RuleContradiction, "block %d may be valid: what its header says of the state is what the chain's says, or its parent is another", a.Conflicting.Height)
	}
	return a.checkAccused()
}

// checkBlocks checks that the two headers are different blocks of one height, one of
// them the chain's.
func (a *LightClientAttack) checkBlocks() error {
	for _, h := range []*HomeHeader{&a.Canonical, &a.Conflicting} {
		if err := h.check(); err != nil {
			return err
		}
	}
	cp := &a.Certificate.Checkpoint
	hash, height, err := trace(cp, a.Trail)
	if err != nil {
		return err
	}
	switch canonical := a.Canonical.hash(cp.ChainID); {
	case canonical != hash || a.Canonical.Height != height:
		return refuse(RuleHomeBlock, "the chain's block %d is %x, the header is that of block %d, %x", height, hash, a.Canonical.Height, canonical)
	case a.Conflicting.Height != height:
		return refuse(RuleContradiction, "heights %d and %d", height, a.Conflicting.Height)
	case a.Conflicting.hash(cp.ChainID) == canonical:
		return refuse(RuleContradiction, "both headers are block %x", canonical)
	case a.PartsTotal == 0 || a.Round > math.MaxInt32:
		return refuse(RuleConsensusVote, "round %d, a block of %d parts", a.Round, a.PartsTotal)
	}
	return nil
}

func checkPrecommits(signers Bits, precommits []*Precommit) error {
	if err := checkSigners(signers); err != nil {
		return err
	}
	if n := signers.Count(); n != len(precommits) {
		return refuse(RuleBitfield, "%d signers, %d precommits", n, len(precommits))
	}
	for i, p := range precommits {
		if p == nil {
			return refuse(RuleConsensusVote, "precommit %d is nil", i)
		}
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// checkAccused checks that the signers are of the set that signed the certificate.
func (a *LightClientAttack) checkAccused() error {
	if n, want := Bits(a.Signers).Len(), Bits(a.Certificate.Signers).Len(); n != want {
		return refuse(RuleBitfield, "%d bits, the certificate has %d", n, want)
	}
	return nil
}

func (a *LightClientAttack) checkEquivocation() error {
	own := a.Own[0]
	switch {
	case a.lunatic():
		return refuse(RuleContradiction, "the conflicting block is not valid: the chain's own signatures are not needed")
	case own.PartsTotal == 0:
		return refuse(RuleConsensusVote, "a block of no parts")
	}
	if err := checkPrecommits(a.Signers, own.Precommits); err != nil {
		return err
	}
	return a.checkAccused()
}

// checkFork checks that enough of the chain's own power signed. Of one parent, an honest
// validator signs two blocks if those who signed the first are too few to be a
// quorum, so it takes a quorum to show that there was a fork. Of two parents it has none
// but one: with a third at least one of the signers is honest, and has seen a fork, or
// a third is not.
func (a *LightClientAttack) checkFork() error {
	if len(a.Own) > 0 || a.lunatic() {
		return refuse(RuleContradiction, "a fork is shown by the conflicting block's signatures alone, which is not made up")
	}
	if n := Bits(a.Signers).Len(); n != len(a.Validators) {
		return refuse(RuleBitfield, "%d bits for %d validators of the chain", n, len(a.Validators))
	}
	members := make([]comet.Validator, len(a.Validators))
	for i, v := range a.Validators {
		if v == nil || v.Power > comet.MaxPower {
			return refuse(RuleHomeBlock, "validator %d of the chain is nil or has too much power", i)
		}
		address := comet.Address(v.Key[:])
		members[i] = comet.Validator{Key: comet.Key{Type: comet.Ed25519, Bytes: v.Key[:]}, Power: int64(v.Power), Address: address[:]}
	}
	set := comet.NewSet(members)
	if err := set.Check(); err != nil {
		return refuse(RuleHomeBlock, "%v", err)
	}
	if hash := set.Hash(); !bytes.Equal(hash, a.Canonical.Validators[:]) {
		return refuse(RuleHomeBlock, "the validators' hash is %x, the chain's header says %x", hash, a.Canonical.Validators)
	}
	signed, total := int64(0), set.Total()
	for i := range Bits(a.Signers).Ones() {
		signed += members[i].Power
	}
	if a.sibling() && 3*signed <= 2*total || 3*signed < total {
		return refuse(RuleQuorum, "validators with %d of %d signed the conflicting block, which does not show a fork", signed, total)
	}
	return nil
}

func (a *LightClientAttack) accusation() Accusation {
	cp := &a.Certificate.Checkpoint
	accusation := Accusation{
		ChainID: string(cp.ChainID), Epoch: cp.Epoch, Height: a.Canonical.Height, ValidatorsRoot: a.ValidatorsRoot, Accused: a.Signers,
	}
	if a.Attack() == AttackFork {
		accusation.Accused, accusation.Forked = NewBits(Bits(a.Certificate.Signers).Len()), true
	}
	return accusation
}

// verify checks that the set certified the epoch's last block, and the home chain's
// signatures.
func (a *LightClientAttack) verify(law Law, set *Set) error {
	if set.root != a.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, a.ValidatorsRoot)
	}
	if _, err := VerifyCertificate(law.Network(), set, &a.Certificate); err != nil {
		return err
	}
	conflicting := a.conflictingID()
	if a.Attack() == AttackFork {
		return a.signed(a.Precommits, &conflicting, func(i int) []byte { return a.Validators[i].Key[:] })
	}
	for i := range Bits(a.Signers).Ones() {
		if key := &set.members[i].ConsensusKey; key.Type != KeyEd25519 {
			return refuse(RuleOffender, "validator %d has no ed25519 key to sign a block with", i)
		}
	}
	key := func(i int) []byte { return set.members[i].ConsensusKey.Bytes }
	for _, own := range a.Own {
		hash := a.Canonical.hash(a.Certificate.Checkpoint.ChainID)
		block := comet.BlockID{Hash: hash[:], PartsTotal: int64(own.PartsTotal), PartsHash: own.PartsHash[:]}
		if err := a.signed(own.Precommits, &block, key); err != nil {
			return err
		}
	}
	return a.signed(a.Precommits, &conflicting, key)
}

// signed checks the precommits of all signers for a block.
func (a *LightClientAttack) signed(precommits []*Precommit, block *comet.BlockID, key func(i int) []byte) error {
	n := 0
	for i := range Bits(a.Signers).Ones() {
		if !precommits[n].signedBy(key(i), a.Certificate.Checkpoint.ChainID, a.Conflicting.Height, a.Round, block) {
			return refuse(RuleSignature, "precommit of validator %d for block %v at height %d", i, block, a.Conflicting.Height)
		}
		n++
	}
	return nil
}
