package ledger

import "crypto/sha256"

// Scenario is a what-if question to the vault rules: accounts with liens, and then
// faults and what the owners do, one step after the other. [ParseScenario] reads
// one, [Scenario.Run] answers it with the code that runs a chain's ledger, over a
// ledger of its own in memory. docs/scenarios.md has the format.
//
// A scenario is about the arithmetic of DESIGN §3.1 and 3.2. What else a chain asks
// is taken as given: whom a lien stands behind is in the consumer's set, also after
// a fault; faults are proven and executed at once, without window or reward; each
// slash takes the ratio that the step says, at most the lien's; every consumer is
// followed up to now; the smallest lien is one base unit. "home" is a consumer like
// any other.
//
// A step is an epoch of its own. A fault captures what a part of a lien is at the
// moment of its step, what is being released included: that is what the statement
// says which the consumer had in force before the release.
type Scenario struct {
	unbonding Duration
	accounts  []scenarioAccount
	steps     []scenarioStep
	consumers []string             // that it names, sorted
	names     map[AccountID]string // of accounts and validators
}

type scenarioAccount struct {
	id         AccountID
	collateral Amount
	liens      []scenarioLien
}

type scenarioLien struct {
	consumer string
	ratio    Ratio
	stakes   []scenarioStake
}

type scenarioStake struct {
	validator AccountID // or Backstop
	amount    Amount
}

// scenarioStep is one step; of the fields below the first only those count that
// its action has.
type scenarioStep struct {
	action string

	faults    []scenarioFault // of one moment
	account   AccountID
	consumer  string
	validator AccountID // or Backstop
	amount    Amount
	ratio     Ratio
	wait      Duration
}

type scenarioFault struct {
	consumer  string
	validator AccountID // or Backstop
	ratio     Ratio
}

// The actions of steps.
const (
	actionOpen     = "open" // step 0
	actionSlash    = "slash"
	actionPledge   = "pledge"
	actionRelease  = "release"
	actionAdvance  = "advance"
	actionDeposit  = "deposit"
	actionWithdraw = "withdraw"
)

// scenarioID is the account that a name in a scenario stands for.
func scenarioID(name string) AccountID { return sha256.Sum256([]byte(name)) }

// ScenarioResult is what became of a scenario, ready for JSON.
type ScenarioResult struct {
	Steps []ScenarioStep `json:"steps"` // the first is the opening
}

// ScenarioStep is one step and the ledger after it.
type ScenarioStep struct {
	Step     int               `json:"step"`
	Action   string            `json:"action"`
	Detail   string            `json:"-"`                // what it did, for people
	Accounts []ScenarioAccount `json:"accounts"`         // in the order in which they were opened
	Totals   Totals            `json:"totals"`           // Deposited is the sum of the others
	Slashes  []ScenarioSlash   `json:"slashes,omitzero"` // of a slash: what it took, sorted by account, consumer, validator
	Refused  []ScenarioRefusal `json:"refused,omitempty"`
}

// ScenarioAccount is one account with its derived figures.
type ScenarioAccount struct {
	ID         string         `json:"id"`
	Collateral Amount         `json:"collateral"`
	MaxLien    Amount         `json:"max_lien"`
	Slashable  string         `json:"slashable"` // Σ r·L, exact decimal
	Free       Amount         `json:"free"`      // what a withdrawal would get
	Slashed    Amount         `json:"slashed"`   // so far
	Liens      []ScenarioLien `json:"liens"`     // sorted by consumer
}

// ScenarioLien is one lien: Amount = Σ Stakes + Backstop + Unbonding.
type ScenarioLien struct {
	Consumer  string            `json:"consumer"`
	Ratio     Ratio             `json:"ratio"`
	Amount    Amount            `json:"amount"`
	Stakes    map[string]Amount `json:"stakes"`   // bonded behind validators
	Backstop  Amount            `json:"backstop"` // bonded behind the consumer as a whole
	Unbonding Amount            `json:"unbonding,omitzero"`
	Slashed   Amount            `json:"slashed"` // so far
}

// ScenarioSlash is what a step took from one part of one lien.
type ScenarioSlash struct {
	Account   string `json:"account"`
	Consumer  string `json:"consumer"`
	Validator string `json:"validator,omitempty"`
	Backstop  bool   `json:"backstop,omitempty"`
	Captured  Amount `json:"captured"` // of the offence that decided
	Ratio     Ratio  `json:"ratio"`    // its penalty, at most the lien's
	Amount    Amount `json:"amount"`   // taken now
}

// ScenarioRefusal says why something was refused, and so changed nothing.
type ScenarioRefusal struct {
	Step     int    `json:"step"`
	Action   string `json:"action"`
	Account  string `json:"account,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
}
