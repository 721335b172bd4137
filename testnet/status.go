package testnet

import (
	"github.com/meshsec/meshsec/store/ledger"
)

// Status is a testnet at one moment, as `meshsec testnet status --json` prints it.
type Status struct {
	Chains []ChainStatus `json:"chains"`
	Nodes  []NodeStatus  `json:"nodes"`
	Liens  []LienStatus  `json:"liens"`
}

// ChainStatus is one chain at the newest epoch for which all ready nodes hold a
// certificate.
type ChainStatus struct {
	ID          string          `json:"id"`
	Epoch       uint64          `json:"epoch"`
	FinalEpoch  uint64          `json:"final_epoch"` // lowest that another chain's ledger has
	Certificate ledger.HexBytes `json:"certificate"` // root of the certified checkpoint
	LedgerRoot  ledger.HexBytes `json:"ledger_root"`
	SignedPower ledger.Amount   `json:"signed_power"`
	TotalPower  ledger.Amount   `json:"total_power"`
	Halted      bool            `json:"halted"` // on the ledger of another chain
	// HaltReasons say why, by the chain on whose ledger it is.
	HaltReasons map[string]string `json:"halt_reasons,omitempty"`
}

func (c *ChainStatus) halt(ledger, reason string) {
	if c.HaltReasons == nil {
		c.HaltReasons = map[string]string{}
	}
	c.Halted, c.HaltReasons[ledger] = true, reason
}

// NodeStatus is one node. A ready node reports each ledger at the epoch of
// ChainStatus, another its own newest, and one that does not answer none.
type NodeStatus struct {
	Name    string              `json:"name"`
	Chain   string              `json:"chain"`
	Ready   bool                `json:"ready"`
	Ledgers map[string]LedgerAt `json:"ledgers"`
}

// LedgerAt is one chain's ledger on one node at one epoch.
type LedgerAt struct {
	Epoch       uint64          `json:"epoch"`
	LedgerRoot  ledger.HexBytes `json:"ledger_root"`
	Certificate ledger.HexBytes `json:"certificate"`
}

// LienStatus is one part of one lien on one ledger.
type LienStatus struct {
	Ledger        string           `json:"ledger"`
	Account       ledger.AccountID `json:"account"`
	AccountName   string           `json:"account_name"`
	Consumer      string           `json:"consumer"`
	Validator     ledger.AccountID `json:"validator"`
	ValidatorName string           `json:"validator_name"`
	Amount        ledger.Amount    `json:"amount"`
	Frozen        ledger.Amount    `json:"frozen"`
	Slashed       ledger.Amount    `json:"slashed"`
}

// nameOf is the node behind an account of a chain, "" if it is nobody's here.
func (t *Testnet) nameOf(chain string, id ledger.AccountID) string {
	for _, c := range t.Chains {
		for _, n := range c.Nodes {
			if c.ID == chain && n.Account == id {
				return n.Name
			}
		}
	}
	return ""
}
