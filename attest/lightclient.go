package attest

// Trusted is what a light client of one chain remembers: the last checkpoint that
// it believes in. It is a plain value, so that a ledger can store it; trust in it
// is the holder's.
type Trusted struct {
	ChainID        string
	Epoch          uint64
	Root           [32]byte // of the checkpoint
	ValidatorsRoot [32]byte // root of the set that signs epoch Epoch+1
	Time           uint64   // of the checkpoint, Unix milliseconds
}

// Trust starts a light client at a checkpoint that is believed for a reason outside
// of this package: the manifest's genesis, or an operator's word.
func Trust(c *Checkpoint) Trusted {
	return Trusted{
		ChainID:        string(c.ChainID),
		Epoch:          c.Epoch,
		Root:           c.Root(),
		ValidatorsRoot: c.ValidatorsRoot,
		Time:           c.Time,
	}
}

// Follow is one step of the light client: from the trusted checkpoint to the next
// epoch's, which continues it and has a quorum of the set that it committed to. It
// goes from cheap to dear; the signature comes last.
//
// Hard errors are those of [VerifyCertificate] and [RuleWrongChain]. Soft ones are
// [RuleAhead] and [RuleOld] (not the next epoch), [RuleParent] (another branch, or
// garbage, which is not looked into), and [RuleWrongSet] (set is not the one that
// trusted names: fetch that).
func Follow(net Network, trusted Trusted, set *Set, c *Certificate) (Trusted, error) {
	if err := c.check(); err != nil {
		return trusted, err
	}
	if err := trusted.leadsTo(set, &c.Checkpoint); err != nil {
		return trusted, err
	}
	if _, err := VerifyCertificate(net, set, c); err != nil {
		return trusted, err
	}
	return Trust(&c.Checkpoint), nil
}

// Next is [Follow] for a certificate that was verified before, on the network that
// the caller works for. The errors are Follow's, but those of the signature.
func (t Trusted) Next(c VerifiedCertificate) (Trusted, error) {
	if err := t.leadsTo(c.aggregate.set, &c.aggregate.certificate.Checkpoint); err != nil {
		return t, err
	}
	return Trust(&c.aggregate.certificate.Checkpoint), nil
}

func (t Trusted) leadsTo(set *Set, c *Checkpoint) error {
	switch {
	case string(c.ChainID) != t.ChainID:
		return refuse(RuleWrongChain, "%s, following %s", c.ChainID, t.ChainID)
	case c.Epoch <= t.Epoch:
		return refuse(RuleOld, "epoch %d of %s, at %d", c.Epoch, t.ChainID, t.Epoch)
	case c.Epoch-t.Epoch > 1:
		return refuse(RuleAhead, "epoch %d of %s, at %d", c.Epoch, t.ChainID, t.Epoch)
	case c.Parent != t.Root:
		return refuse(RuleParent, "epoch %d of %s has parent %x, want %x", c.Epoch, t.ChainID, c.Parent, t.Root)
	case set.root != t.ValidatorsRoot:
		return refuse(RuleWrongSet, "set %x, want %x for epoch %d of %s", set.root, t.ValidatorsRoot, c.Epoch, t.ChainID)
	}
	return nil
}
