package ledger

//go:generate go tool sszgen --path params.go --include text.go,penalty.go --output params_ssz.go --objs Params,Window,Penalty,Downtime,Limits,Terms,PendingParams

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Params are a chain's rules: at genesis those of the manifest, later what its
// authority made of them (see [SetParams]). Windows in time pass when this chain's
// own block time has moved by them.
type Params struct {
	ChallengeWindow Window   `toml:"challenge_window" json:"challenge_window"` // from acceptance to finality, and from a proof to its slash
	StatementExpiry Duration `toml:"statement_expiry" json:"statement_expiry"` // how long an imported statement gives power
	EvidenceAge     Window   `toml:"evidence_age" json:"evidence_age"`         // how long an offence can be punished
	Unbonding       Window   `toml:"unbonding" json:"unbonding"`               // how long released stake stays slashable
	Correlation     Window   `toml:"correlation" json:"correlation"`           // offences this near to each other, in epochs or in time, add up
	Penalty         Penalty  `toml:"penalty" json:"penalty"`
	ReporterReward  Ratio    `toml:"reporter_reward" json:"reporter_reward"`           // share of what the offender's own stake lost; at most 0.05
	MaxDrift        Duration `toml:"max_drift" json:"max_drift"`                       // how far a peer's clock may be ahead of ours
	MinLien         Amount   `toml:"min_lien" json:"min_lien" ssz-size:"32"`           // smallest part of a lien
	CoveredValue    Amount   `toml:"covered_value" json:"covered_value" ssz-size:"32"` // what the backstops stand for when this chain fails
	Downtime        Downtime `toml:"downtime" json:"downtime"`
	Limits          Limits   `toml:"limits" json:"limits"`
}

// Window has passed when both have: so many epochs and so much time.
type Window struct {
	Epochs uint64   `toml:"epochs" json:"epochs"`
	Time   Duration `toml:"time" json:"time"`
}

// Passed reports whether w lies between (epoch0, time0) and (epoch, time).
func (w Window) Passed(epoch0, time0, epoch, time uint64) bool {
	return epoch >= epoch0 && epoch-epoch0 >= w.Epochs && time >= time0 && time-time0 >= uint64(w.Time)
}

// Near reports whether two moments are within w of each other: it has not passed
// between them, whichever came first.
func (w Window) Near(epoch0, time0, epoch, time uint64) bool {
	return distance(epoch0, epoch) <= w.Epochs || distance(time0, time) <= uint64(w.Time)
}

// shorter reports whether w can pass before v does.
func (w Window) shorter(v Window) bool { return w.Epochs < v.Epochs || w.Time < v.Time }

// Penalty is what an offence costs: the base of its kind, or what the rule makes of
// the severity q, if that is more. See [PenaltyRule].
type Penalty struct {
	Rule         PenaltyRule `toml:"rule" json:"rule"`
	Multiplier   uint64      `toml:"multiplier" json:"multiplier"`                 // of the severity, 1 to 1000
	DoubleVote   Ratio       `toml:"double_vote" json:"double_vote"`               // two checkpoints of an epoch
	Equivocation Ratio       `toml:"equivocation" json:"equivocation"`             // two blocks in a step of the home chain's consensus, or one that it does not have, or what Ethereum slashes for
	Transition   Ratio       `toml:"invalid_transition" json:"invalid_transition"` // a checkpoint that can't follow the one before it, or not from the home chain's blocks
}

// Downtime is the price of not signing (DESIGN §3.5): who misses more than Allowed
// of Window epochs is jailed, and pays Penalty from his own stake. Window 0 switches
// it off.
type Downtime struct {
	Window  uint64 `toml:"window" json:"window"` // epochs, at most MaxDowntimeWindow
	Allowed Ratio  `toml:"allowed" json:"allowed"`
	Penalty Ratio  `toml:"penalty" json:"penalty"`
	Jail    uint64 `toml:"jail" json:"jail"` // epochs before an Unjail is taken
}

// MaxDowntimeWindow bounds the list of missed epochs.
const MaxDowntimeWindow = 1024

// Limits bound an epoch's work (DESIGN §3.3). What exceeds them waits in a queue. A
// quarter of each is reserved for the operations that anybody may submit.
type Limits struct {
	Bytes   uint64 `toml:"bytes" json:"bytes"`     // of operations
	Records uint64 `toml:"records" json:"records"` // read or written by operations, each counts once in one
	Slashes uint64 `toml:"slashes" json:"slashes"` // liens that executions look at, and offenders to fix the penalties
}

// Terms say how stake that a peer pledges becomes power here.
type Terms struct {
	Price    Ratio `json:"price"`    // base units here for one base unit there
	Discount Ratio `json:"discount"` // taken off the price, below 1
	Cap      Ratio `json:"cap"`      // largest virtual stake of this provider, as a share of the own stake here
}

// PendingParams wait until one unbonding time of the old ones has passed.
type PendingParams struct {
	Params Params
	Epoch  uint64 // in which they were set
	Time   uint64
}

// DefaultParams are the values to start from (DESIGN §9).
func DefaultParams() Params {
	const hour = Duration(3_600_000)
	return Params{
		ChallengeWindow: Window{Epochs: 2, Time: 24 * hour},
		StatementExpiry: 5 * 24 * hour,
		EvidenceAge:     Window{Epochs: 4, Time: 14 * 24 * hour},
		Unbonding:       Window{Epochs: 10, Time: 21 * 24 * hour},
		Correlation:     Window{Epochs: 36, Time: hour},
		Penalty:         Penalty{Rule: Quadratic, Multiplier: 3, DoubleVote: One / 20, Equivocation: One / 20, Transition: One / 20},
		ReporterReward:  One / 20,
		MaxDrift:        hour / 60,
		MinLien:         Units(1000),
		Downtime:        Downtime{Window: 100, Allowed: One / 2, Penalty: One / 10_000, Jail: 10},
		Limits:          Limits{Bytes: 8 << 20, Records: 200_000, Slashes: 4096},
	}
}

// ParseParams reads parameters in TOML; an unknown key is an error, and so is a missing
// one, which would be a rule switched off by accident. It does not validate them.
func ParseParams(b []byte) (*Params, error) {
	p := new(Params)
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(p); err != nil {
		return nil, fmt.Errorf("read parameters: %w", explainTOML(err))
	}
	all, err := p.Encode()
	if err != nil {
		return nil, err
	}
	var given, want map[string]any
	if err := errors.Join(toml.Unmarshal(b, &given), toml.Unmarshal(all, &want)); err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	if missing := missingKeys(given, want, ""); len(missing) > 0 {
		return nil, fmt.Errorf("read parameters: %s is missing", strings.Join(missing, ", "))
	}
	return p, nil
}

// missingKeys are the keys of want, at any depth, that given does not have.
func missingKeys(given, want map[string]any, prefix string) (missing []string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		v, ok := given[k]
		if !ok {
			missing = append(missing, prefix+k)
			continue
		}
		below, deep := want[k].(map[string]any)
		if there, ok := v.(map[string]any); deep && ok {
			missing = append(missing, missingKeys(there, below, prefix+k+".")...)
		}
	}
	return missing
}

// Encode writes p in TOML.
func (p *Params) Encode() ([]byte, error) { return toml.Marshal(p) }

// Validate checks the parameters, and the inequalities between the windows (DESIGN
// §3.5), without which stake could leave before an offence that it answers for is
// known. The error is one line that names what is wrong.
func (p *Params) Validate() error {
	for _, d := range []struct {
		name  string
		value Duration
	}{
		{"challenge_window", p.ChallengeWindow.Time}, {"statement_expiry", p.StatementExpiry}, {"evidence_age", p.EvidenceAge.Time},
		{"unbonding", p.Unbonding.Time}, {"correlation", p.Correlation.Time}, {"max_drift", p.MaxDrift},
	} {
		if d.value > maxDuration {
			return fmt.Errorf("%s %v exceeds %v", d.name, d.value.Span(), maxDuration.Span())
		}
	}
	for _, n := range []struct {
		name  string
		value uint64
	}{
		{"challenge_window", p.ChallengeWindow.Epochs}, {"evidence_age", p.EvidenceAge.Epochs}, {"unbonding", p.Unbonding.Epochs},
		{"correlation", p.Correlation.Epochs}, {"downtime.jail", p.Downtime.Jail},
	} {
		if n.value > maxEpochs {
			return fmt.Errorf("%s of %d epochs exceeds %d", n.name, n.value, uint64(maxEpochs))
		}
	}
	if need := p.StatementExpiry + p.EvidenceAge.Time + p.ChallengeWindow.Time + p.MaxDrift; p.Unbonding.Time < need {
		return fmt.Errorf("unbonding %v must be at least statement_expiry + evidence_age + challenge_window + max_drift = %v", p.Unbonding.Time.Span(), need.Span())
	}
	if need := p.EvidenceAge.Epochs + p.ChallengeWindow.Epochs; p.Unbonding.Epochs <= need {
		return fmt.Errorf("unbonding of %d epochs must exceed evidence_age + challenge_window of %d", p.Unbonding.Epochs, need)
	}
	if p.StatementExpiry < 4*p.ChallengeWindow.Time {
		return fmt.Errorf("statement_expiry %v must be at least 4 × challenge_window %v", p.StatementExpiry.Span(), p.ChallengeWindow.Time.Span())
	}
	for _, r := range []struct {
		name       string
		value, max Ratio
	}{
		{"penalty.double_vote", p.Penalty.DoubleVote, One},
		{"penalty.equivocation", p.Penalty.Equivocation, One},
		{"penalty.invalid_transition", p.Penalty.Transition, One},
		{"reporter_reward", p.ReporterReward, One / 20},
		{"downtime.allowed", p.Downtime.Allowed, One},
		{"downtime.penalty", p.Downtime.Penalty, One / 20},
	} {
		if r.value > r.max {
			return fmt.Errorf("%s %v exceeds %v", r.name, r.value, r.max)
		}
	}
	switch {
	case p.Penalty.DoubleVote == 0:
		return fmt.Errorf("penalty.double_vote must be positive")
	case p.Penalty.Equivocation == 0:
		return fmt.Errorf("penalty.equivocation must be positive")
	case p.Penalty.Transition == 0:
		return fmt.Errorf("penalty.invalid_transition must be positive")
	case p.Penalty.Rule > Proportional:
		return fmt.Errorf("penalty.rule %d is none of flat, quadratic, proportional", p.Penalty.Rule)
	case p.Penalty.Multiplier == 0 || p.Penalty.Multiplier > 1000:
		return fmt.Errorf("penalty.multiplier %d must be between 1 and 1000", p.Penalty.Multiplier)
	case p.Downtime.Window > MaxDowntimeWindow:
		return fmt.Errorf("downtime.window %d exceeds %d epochs", p.Downtime.Window, MaxDowntimeWindow)
	case p.Limits.Bytes < MinLimitBytes:
		return fmt.Errorf("limits.bytes %d must be at least %d, so that a fault proof fits the reserved quarter", p.Limits.Bytes, MinLimitBytes)
	case p.Limits.Records < MinLimitRecords:
		return fmt.Errorf("limits.records %d must be at least %d", p.Limits.Records, MinLimitRecords)
	case p.Limits.Bytes > maxLimit || p.Limits.Records > maxLimit:
		return fmt.Errorf("limits.bytes %d and limits.records %d must be at most %d", p.Limits.Bytes, p.Limits.Records, uint64(maxLimit))
	case p.Limits.Slashes == 0 || p.Limits.Slashes > MaxLimitSlashes:
		return fmt.Errorf("limits.slashes must be between 1 and %d", MaxLimitSlashes)
	case p.MinLien.Int().Gt(MaxAmount) || p.CoveredValue.Int().Gt(MaxAmount):
		return fmt.Errorf("min_lien and covered_value must be at most %s", MaxAmount.Dec())
	}
	return nil
}

// maxDuration keeps sums of windows and times far from overflow: a hundred years.
const maxDuration = Duration(100 * 366 * 24 * 3_600_000)

// maxEpochs and maxLimit keep sums of epochs and multiples of limits far from overflow.
const (
	maxEpochs = 1 << 32
	maxLimit  = 1 << 32
)

// The least limits of an epoch.
const (
	MinLimitBytes   = 4 * MaxSubmitFault
	MinLimitRecords = 4096
)

// Duration is a time span in milliseconds. As text it is Go's form, such as 24h.
type Duration uint64

// Span converts d.
func (d Duration) Span() time.Duration { return time.Duration(d) * time.Millisecond }

// MarshalText is Go's form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.Span().String()), nil }

// UnmarshalText reads Go's form; whole milliseconds, not negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 || v%time.Millisecond != 0 {
		return fmt.Errorf("%q is not a duration such as 90s or 24h", b)
	}
	*d = Duration(v / time.Millisecond)
	return nil
}
