package evidence

// Report is what an offline look at a piece of evidence found.
type Report struct {
	Kind      string     `json:"kind"` // attest.FaultKind names: consensus_equivocation, light_client_attack, ethereum_slashing, double_vote
	Chain     string     `json:"chain,omitempty"`
	Height    uint64     `json:"height,omitempty"` // or
	Epoch     uint64     `json:"epoch,omitempty"`
	Offenders []Offender `json:"offenders"`
	Checks    []Check    `json:"checks"` // in the order in which they were made
	Valid     bool       `json:"valid"`
	Failed    string     `json:"failed,omitempty"` // one sentence: which rule failed
}

type Offender struct {
	Name  string `json:"name"`
	Power string `json:"power,omitempty"`
	Total string `json:"total,omitempty"`
}

type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}
