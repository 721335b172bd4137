package attest

// What an object's form alone must meet, without signatures and without a set.

// CheckChainID accepts 1 to [MaxChainID] characters out of a-z A-Z 0-9 . _ -, so
// that a chain id is safe in topics, URLs, file names and logs. The error is
// [RuleChainID].
func CheckChainID(id string) error {
	if len(id) == 0 || len(id) > MaxChainID {
		return refuse(RuleChainID, "%d characters", len(id))
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return refuse(RuleChainID, "%q", id)
		}
	}
	return nil
}

func (c *Checkpoint) check() error { return CheckChainID(string(c.ChainID)) }

// checkSignable is check for a checkpoint that somebody claims was signed.
func (c *Checkpoint) checkSignable() error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Epoch == 0 {
		return refuse(RuleEpoch, "checkpoint of %s", c.ChainID)
	}
	return nil
}

func (v *ValidatorSet) check() error {
	if len(v.Validators) > MaxValidators {
		return refuse(RuleSet, "%d validators, at most %d", len(v.Validators), MaxValidators)
	}
	for i, member := range v.Validators {
		if member == nil {
			return refuse(RuleSet, "validator %d is nil", i)
		}
		if err := member.ConsensusKey.check(); err != nil {
			return err
		}
	}
	return nil
}

func (a *Attestation) check() error { return a.Checkpoint.checkSignable() }

func (c *Certificate) check() error {
	if err := c.Checkpoint.checkSignable(); err != nil {
		return err
	}
	return checkSigners(c.Signers)
}

func checkSigners(signers Bits) error {
	if signers.Len() < 0 {
		return refuse(RuleBitfield, "not a list of at most %d bits", MaxValidators)
	}
	if signers.Count() == 0 {
		return refuse(RuleBitfield, "no signer among %d", signers.Len())
	}
	return nil
}

func (c *CrossClaim) check() error {
	if err := CheckChainID(string(c.ChainID)); err != nil {
		return err
	}
	if err := CheckChainID(string(c.Peer)); err != nil {
		return err
	}
	switch {
	case c.Epoch == 0:
		return refuse(RuleEpoch, "claim of %s", c.ChainID)
	case string(c.ChainID) == string(c.Peer):
		return refuse(RuleClaim, "%s about itself", c.ChainID)
	case c.ToEpoch <= c.FromEpoch:
		return refuse(RuleClaim, "from epoch %d to %d", c.FromEpoch, c.ToEpoch)
	}
	return nil
}

func (a *CrossAttestation) check() error { return a.Claim.check() }

func (c *CrossCertificate) check() error {
	if err := c.Claim.check(); err != nil {
		return err
	}
	return checkSigners(c.Signers)
}

func (r *Registration) check() error {
	if err := CheckChainID(string(r.ChainID)); err != nil {
		return err
	}
	return r.ConsensusKey.check()
}

// The envelope has 5 bytes around its body.
func (f *FaultProof) check() error {
	kind := FaultKind(f.Kind)
	if kind == 0 {
		return refuse(RuleEncoding, "fault kind 0")
	}
	if size := 5 + len(f.Body); size > kind.MaxSize() {
		return refuse(RuleSize, "%d bytes, at most %d for %s", size, kind.MaxSize(), kind)
	}
	return nil
}
