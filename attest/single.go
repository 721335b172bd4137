package attest

// Single is a vote as the aggregate of one: the same signature, and the signer as a bit
// of the epoch's set. It verifies nothing. The error is [RuleSigner].
func (a *Attestation) Single(set *Set) (*Certificate, error) {
	i, ok := set.Index(a.Signer)
	if !ok {
		return nil, refuse(RuleSigner, "%x", a.Signer)
	}
	signers := NewBits(set.Len())
	signers.Set(i)
	return &Certificate{cloneCheckpoint(&a.Checkpoint), signers, a.Signature}, nil
}
