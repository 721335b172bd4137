package twin

import (
	"math/big"

	"github.com/meshsec/meshsec/store/ledger"
)

// ID names an account or a validator.
type ID = ledger.AccountID

// Event is one thing that happened on a ledger.
type Event interface{ isEvent() }

// Deposit adds collateral; it opens the account if need be.
type Deposit struct {
	Account ID
	Amount  *big.Int
}

// Withdraw takes free collateral out.
type Withdraw struct {
	Account ID
	Amount  *big.Int
}

// Pledge creates or enlarges the part of a lien behind a validator.
type Pledge struct {
	Account   ID
	Consumer  string
	Validator ID
	Amount    *big.Int
	Ratio     uint64
}

// Release starts the unbonding of a part of a lien.
type Release struct {
	Account   ID
	Consumer  string
	Validator ID
	Amount    *big.Int
}

// Fault is a recorded proof against validators of a chain.
type Fault struct {
	Chain      string
	Epoch      uint64 // of the offence
	Since      uint64 // time of the checkpoint before that epoch
	Base       uint64 // least penalty of its kind, scaled by One
	Offenders  []Offender
	Reporter   ID
	Statements []uint64 // our epochs whose statements it captures: what shows more counts
	Later      []uint64 // the same, of the statement right before the offence, where it was brought
}

// Amend brings the statement that was in force right before an offence which was recorded
// without it.
type Amend struct {
	Chain     string
	Epoch     uint64
	Validator ID
	Statement uint64
}

// Offender is one validator that a fault convicts.
type Offender struct {
	Validator    ID
	Power, Total *big.Int // that it held in the epoch of the offence, and that of all
}

// Block says that the events after it are in a block of this time.
type Block struct{ Time uint64 }

// Followed says that a peer's checkpoint of this time was accepted.
type Followed struct {
	Chain string
	Time  uint64
}

// End ends the epoch, with the slashes that are due.
type End struct{}

func (Deposit) isEvent()  {}
func (Withdraw) isEvent() {}
func (Pledge) isEvent()   {}
func (Release) isEvent()  {}
func (Fault) isEvent()    {}
func (Amend) isEvent()    {}
func (Block) isEvent()    {}
func (Followed) isEvent() {}
func (End) isEvent()      {}
