package attest

import "fmt"

// Rule names one reason why an object is refused. It is itself an error, so that
// errors.Is(err, attest.RuleSignature) asks for it.
type Rule uint8

// The rules, hard ones first. [Rules] is the same list with explanations.
const (
	RuleSize Rule = iota + 1
	RuleEncoding
	RuleChainID
	RuleEpoch
	RuleClaim
	RuleConsensusKey
	RuleSet
	RuleKey
	RuleBitfield
	RuleSigner
	RuleSignature
	RuleQuorum
	RulePossession
	RuleConsensusSignature
	RuleConsensusVote
	RuleHomeBlock
	RuleOrder
	RuleContradiction
	RuleOffender
	RuleTransition
	RuleWrongChain

	RuleAhead
	RuleOld
	RuleParent
	RuleWrongSet
	RuleUnsupported
)

// RuleInfo is one line of the table from which verdicts, metrics and
// documentation are made.
type RuleInfo struct {
	Rule Rule
	Name string // stable, lower case with underscores; a metric label
	Hard bool   // see [Error]
	Why  string // one line for people
}

// ruleTable holds every rule at position rule-1; a test keeps it complete.
var ruleTable = [...]RuleInfo{
	{RuleSize, "size", true, "the encoding is longer than anything of its kind can be"},
	{RuleEncoding, "encoding", true, "the bytes are not the one canonical encoding of an object"},
	{RuleChainID, "chain_id", true, "a chain id is not 1 to 50 characters out of a-z A-Z 0-9 . _ -"},
	{RuleEpoch, "epoch", true, "epoch 0 is the genesis, which nobody signs"},
	{RuleClaim, "claim", true, "a cross claim is about its own chain, or does not lead forward"},
	{RuleConsensusKey, "consensus_key", true, "a consensus key does not have the length of its type"},
	{RuleSet, "set", true, "a validator set is empty, unsorted, has a key twice, or power that is zero or beyond 2^250"},
	{RuleKey, "public_key", true, "a BLS public key is not a point of the subgroup, or infinity"},
	{RuleBitfield, "bitfield", true, "a signers bitfield names nobody, or is not as long as the validator set"},
	{RuleSigner, "signer", true, "the signer is not in the validator set of that epoch"},
	{RuleSignature, "signature", true, "a signature is no valid point, or not the signers' over this object on this network"},
	{RuleQuorum, "quorum", true, "the signers do not hold more than 2/3 of the power"},
	{RulePossession, "possession", true, "the proof of possession of the BLS key is not valid for this registration"},
	{RuleConsensusSignature, "consensus_signature", true, "the consensus key's signature is not valid for this registration"},
	{RuleConsensusVote, "consensus_vote", true, "it is no vote that the home chain's consensus would count: its type, height, round, time or block id"},
	{RuleHomeBlock, "home_block", true, "it is not what the home chain has at that height, or of a form that nothing of a home chain has"},
	{RuleOrder, "order", true, "the first of two sides must have the smaller checkpoint root or block id"},
	{RuleContradiction, "contradiction", true, "the two sides do not contradict: the same checkpoint or block, another chain or another epoch"},
	{RuleOffender, "offender", true, "nobody signed both sides, or another validator's key than the accused's"},
	{RuleTransition, "transition", true, "the two checkpoints do not follow each other, the claim does not cover the second, or the evidence does not show that it breaks a rule of the ledger"},
	{RuleWrongChain, "wrong_chain", true, "the object is about another chain than asked for"},

	{RuleAhead, "ahead", false, "the epoch is not the next one: earlier certificates are needed first"},
	{RuleOld, "old", false, "the epoch is already behind us"},
	{RuleParent, "parent", false, "it continues another checkpoint than the one trusted here"},
	{RuleWrongSet, "wrong_set", false, "the validator set given is not the one that the object is bound to"},
	{RuleUnsupported, "unsupported", false, "this version cannot judge that kind yet"},
}

// Rules is the table of all rules, in the order of their numbers. The slice is the
// caller's.
func Rules() []RuleInfo { return append([]RuleInfo(nil), ruleTable[:]...) }

func (r Rule) info() RuleInfo {
	if r == 0 || int(r) > len(ruleTable) {
		return RuleInfo{Rule: r, Name: fmt.Sprintf("rule_%d", uint8(r)), Why: "unknown rule"}
	}
	return ruleTable[r-1]
}

// String is the rule's stable name.
func (r Rule) String() string { return r.info().Name }

// Error is the rule's name, too: a rule prints the same whatever way.
func (r Rule) Error() string { return r.info().Name }

// Why is the rule's one-line explanation.
func (r Rule) Why() string { return r.info().Why }

// Hard says whether breaking the rule is the sender's fault, see [Error].
func (r Rule) Hard() bool { return r.info().Hard }

// Error is why an object was refused. All errors of this package are of this type.
//
// A hard error means that no state of the world could make these bytes good: who
// sent them without checking is at fault. A soft one means that they cannot be
// judged from here (yet): nobody is punished. An error is hard only as far as the
// caller passed the network and the validator set that the object belongs to.
type Error struct {
	Rule   Rule
	Detail string // what exactly, with the values that were compared
}

// Error is the rule's name, its explanation and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("attest: %s: %s", e.Rule, e.Rule.Why())
	}
	return fmt.Sprintf("attest: %s: %s (%s)", e.Rule, e.Rule.Why(), e.Detail)
}

// Unwrap is the rule, for errors.Is.
func (e *Error) Unwrap() error { return e.Rule }

// Hard says whether the sender is at fault.
func (e *Error) Hard() bool { return e.Rule.Hard() }

func refuse(rule Rule, format string, args ...any) error {
	return &Error{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
