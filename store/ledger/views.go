package ledger

// Views are what a [Reader] answers, ready for JSON.

// Totals are a ledger's sums. Deposited is always the sum of the other four.
type Totals struct {
	Deposited  Amount `json:"deposited"`
	Collateral Amount `json:"collateral"`
	Escrow     Amount `json:"escrow"`
	Withdrawn  Amount `json:"withdrawn"`
	Burned     Amount `json:"burned"`
}

// AccountView is one account with its derived figures.
type AccountView struct {
	ID         AccountID `json:"id"`
	Nonce      uint64    `json:"nonce"`
	Collateral Amount    `json:"collateral"`
	MaxLien    Amount    `json:"max_lien"`
	Slashable  Amount    `json:"slashable"` // ⌈Σ r·L⌉
	Free       Amount    `json:"free"`
}

// LienView is one part of one lien.
type LienView struct {
	Account   AccountID `json:"account"`
	Consumer  string    `json:"consumer"`
	Validator AccountID `json:"validator"`
	Amount    Amount    `json:"amount"`  // effective, what is being released included
	Bonded    Amount    `json:"bonded"`  // of it, what gives power
	Ratio     Ratio     `json:"ratio"`   // of the lien
	Frozen    Amount    `json:"frozen"`  // captured by offences that are recorded and not executed yet
	Slashed   Amount    `json:"slashed"` // taken so far, ever
	Accepts   Amount    `json:"accepts"` // of a backstop: the largest covered value that it stands for
}

// PeerView is another chain as this ledger knows it.
type PeerView struct {
	Chain     string `json:"chain"`
	Accepted  uint64 `json:"accepted"`
	Confirmed uint64 `json:"confirmed"`
	Final     uint64 `json:"final"`
	Halted    string `json:"halted,omitempty"` // why, empty while it is not
	Imported  uint64 `json:"imported"`         // epoch of its statement in force, 0 = none
	Virtual   Amount `json:"virtual"`          // the power that its stake gives in the next set
	Stale     bool   `json:"stale,omitempty"`  // halted, and only because nothing was heard of it for long
	Terms     *Terms `json:"terms"`            // how its stake counts here, null: it does not

	Overturned uint64 `json:"overturned,omitempty"` // accepted epochs from here on will never be final
	Warning    string `json:"warning,omitempty"`    // its stake is more than 1/3 of the power
	Escrow     Amount `json:"escrow"`               // what backstops paid for it, and waits for the authority
	Backstop   string `json:"backstop,omitempty"`   // of its last failure: unproven, frozen or settled
}

// PowerView is one validator of the set that signs the next epoch.
type PowerView struct {
	Account AccountID `json:"account"`
	Key     HexBytes  `json:"key"`
	Own     Amount    `json:"own"`
	Power   Amount    `json:"power"`
}

// PendingView are rules that the authority set and that bind others: they wait.
type PendingView struct {
	Params    Params `json:"params"`
	Epoch     uint64 `json:"epoch"`      // in which they were set
	FromEpoch uint64 `json:"from_epoch"` // they are in force from the end of the first epoch on that is
	FromTime  uint64 `json:"from_time"`  // not before this one and does not end before this time
}

// JailView is a validator that was jailed for downtime.
type JailView struct {
	Account AccountID `json:"account"`
	Epoch   uint64    `json:"epoch"` // in which it was jailed
	Until   uint64    `json:"until"` // first epoch in which it may unjail itself
}

// FaultView is a recorded fault.
type FaultView struct {
	ID        HexBytes    `json:"id"`
	Kind      string      `json:"kind"`
	Chain     string      `json:"chain"`
	Epoch     uint64      `json:"epoch"`
	Recorded  uint64      `json:"recorded"` // epoch of this ledger
	Reporter  AccountID   `json:"reporter"`
	Offenders []AccountID `json:"offenders"`
	Executed  bool        `json:"executed"`         // every execution that it queued has finished
	Forked    bool        `json:"forked,omitempty"` // it convicts nobody and halts the chain
}

// SlashView is what one execution took from one part.
type SlashView struct {
	Fault        HexBytes  `json:"fault"`
	Account      AccountID `json:"account"`
	Consumer     string    `json:"consumer"`
	Validator    AccountID `json:"validator"`
	Captured     Amount    `json:"captured"`
	Ratio        Ratio     `json:"ratio"`
	Amount       Amount    `json:"amount"`
	Burned       Amount    `json:"burned"`
	Reward       Amount    `json:"reward"`
	Compensation Amount    `json:"compensation"`
	Epoch        uint64    `json:"epoch"`
}
