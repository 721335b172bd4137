package p2p

import (
	"context"
	"errors"
	"fmt"
	"strings"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/meshsec/meshsec/attest"
)

// Verdict is what happens with a message.
type Verdict uint8

const (
	// Ignore drops the message; its sender is not blamed.
	Ignore Verdict = iota + 1
	// Accept forwards the message to the mesh.
	Accept
	// Park keeps the message until [Node.Release], and answers Ignore.
	Park
	// Reject drops the message and counts it on the sender, who checked nothing.
	Reject
)

var verdictNames = [...]string{Ignore: "Ignore", Accept: "Accept", Park: "Park", Reject: "Reject"}

// String is the verdict's name.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) && verdictNames[v] != "" {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// gossip is the answer in GossipSub's words.
func (v Verdict) gossip() pubsub.ValidationResult {
	switch v {
	case Accept:
		return pubsub.ValidationAccept
	case Reject:
		return pubsub.ValidationReject
	default:
		return pubsub.ValidationIgnore
	}
}

// Condition is what was found out about a message. What follows from it stands in
// one table, see [Conditions]. The zero value is not a condition; a Handler that
// returns it has a bug, and the message counts as [InternalError].
type Condition uint8

const (
	WrongSize Condition = iota + 1
	NotCanonical
	WrongNetwork
	BadPoint
	BadBitfield
	NoQuorum
	NoFault
	UnknownSigner
	BadSignature

	Ahead
	UnknownParent
	UnknownSet

	TooOld
	Duplicate
	NothingNew
	OtherBranch
	Unsupported
	Syncing
	QueueFull
	Timeout
	InternalError
	Panic
	SecondVote
	Backfill

	Accepted
)

// Rule is one line of the table of DESIGN §6.
type Rule struct {
	Condition Condition
	Name      string // stable, lower case with underscores; a metric label
	Verdict   Verdict
	Why       string // one line for people
}

// rules holds the rule of condition c at c-1; a test keeps it complete.
var rules = [...]Rule{
	{WrongSize, "wrong_size", Reject, "shorter or longer than anything of its kind can be; nothing was decoded"},
	{NotCanonical, "not_canonical", Reject, "not the one encoding of a well-formed object"},
	{WrongNetwork, "wrong_network", Reject, "about a chain that the manifest does not have, or on the topic of another chain"},
	{BadPoint, "bad_point", Reject, "a key or signature is no point of the subgroup, or infinity"},
	{BadBitfield, "bad_bitfield", Reject, "a signers bitfield names nobody, or is not as long as the known set of that epoch"},
	{NoQuorum, "no_quorum", Reject, "a certificate whose signers do not hold more than 2/3 of the known set's power"},
	{NoFault, "no_fault", Reject, "a fault proof that proves nothing"},
	{UnknownSigner, "unknown_signer", Reject, "the signer is not in the known set of that epoch"},
	{BadSignature, "bad_signature", Reject, "the signature is not the signers' over this object on this network"},

	{Ahead, "ahead", Park, "its epoch is ahead of us"},
	{UnknownParent, "unknown_parent", Park, "the checkpoint that it continues is not known yet"},
	{UnknownSet, "unknown_set", Park, "the validator set of its epoch is not known yet"},

	{TooOld, "too_old", Ignore, "its epoch is behind the window"},
	{Duplicate, "duplicate", Ignore, "known already"},
	{NothingNew, "nothing_new", Ignore, "adds nothing: a certificate without further signers, a vote after the certificate, a third vote, another proof of a known offence"},
	{OtherBranch, "other_branch", Ignore, "continues another checkpoint than the one trusted here"},
	{Unsupported, "unsupported", Ignore, "this version cannot judge that kind"},
	{Syncing, "syncing", Ignore, "we are catching up, sync will bring it"},
	{QueueFull, "queue_full", Ignore, "the validation or the parking queue has no room"},
	{Timeout, "timeout", Ignore, "we did not judge it in time"},
	{InternalError, "internal_error", Ignore, "we could not judge it"},
	{Panic, "panic", Ignore, "we panicked over it"},
	{SecondVote, "second_vote", Ignore, "a validator's valid second distinct vote in an epoch: the proof is published instead"},
	{Backfill, "backfill", Ignore, "valid and new here, but history for the network: kept, not forwarded"},

	{Accepted, "accepted", Accept, "valid and new"},
}

// Conditions is the table that decides what happens with a message, in the order of
// the conditions. The slice is the caller's.
func Conditions() []Rule { return append([]Rule(nil), rules[:]...) }

func (c Condition) rule() Rule {
	if c == 0 || int(c) > len(rules) {
		return Rule{c, fmt.Sprintf("condition_%d", uint8(c)), Ignore, "unknown condition"}
	}
	return rules[c-1]
}

// String is the condition's stable name.
func (c Condition) String() string { return c.rule().Name }

// Verdict is what follows from the condition.
func (c Condition) Verdict() Verdict { return c.rule().Verdict }

// attestConditions translates the rules of attest; a test keeps it complete.
var attestConditions = map[attest.Rule]Condition{
	attest.RuleSize:               WrongSize,
	attest.RuleEncoding:           NotCanonical,
	attest.RuleChainID:            NotCanonical,
	attest.RuleEpoch:              NotCanonical,
	attest.RuleClaim:              NotCanonical,
	attest.RuleConsensusKey:       NotCanonical,
	attest.RuleSet:                NotCanonical,
	attest.RuleKey:                BadPoint,
	attest.RuleBitfield:           BadBitfield,
	attest.RuleSigner:             UnknownSigner,
	attest.RuleSignature:          BadSignature,
	attest.RuleQuorum:             NoQuorum,
	attest.RulePossession:         BadSignature,
	attest.RuleConsensusSignature: BadSignature,
	attest.RuleConsensusVote:      NoFault,
	attest.RuleHomeBlock:          NoFault,
	attest.RuleOrder:              NotCanonical,
	attest.RuleContradiction:      NoFault,
	attest.RuleOffender:           NoFault,
	attest.RuleTransition:         NoFault,
	attest.RuleWrongChain:         WrongNetwork,
	attest.RuleAhead:              Ahead,
	attest.RuleOld:                TooOld,
	attest.RuleParent:             OtherBranch,
	attest.RuleWrongSet:           UnknownSet,
	attest.RuleUnsupported:        Unsupported,
}

// ConditionOf translates the outcome of a verification: nil is [Accepted], a rule of
// attest is the condition of the same meaning, an expired context is [Timeout], and
// anything else is our own [InternalError].
func ConditionOf(err error) Condition {
	var refused *attest.Error
	switch {
	case err == nil:
		return Accepted
	case errors.As(err, &refused):
		if c, ok := attestConditions[refused.Rule]; ok {
			return c
		}
		return InternalError
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Timeout
	default:
		return InternalError
	}
}

// conditionsTable is the table as Markdown, for docs/gossip.md.
func conditionsTable() string {
	var b strings.Builder
	b.WriteString("| condition | verdict | meaning |\n|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Name, r.Verdict, r.Why)
	}
	return b.String()
}
