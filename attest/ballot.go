package attest

import (
	"github.com/meshsec/meshsec/bls"
)

// ballot is one validator's signature over one statement, be it a checkpoint or a
// claim. Whether the signature is valid is not said here.
type ballot struct {
	net       Network
	set       *Set
	index     int      // of the signer in set
	root      [32]byte // of the statement
	message   [32]byte // its signing root
	signature bls.Signature
}

// newBallot does everything about a signature but the pairing.
func newBallot(net Network, set *Set, signer [48]byte, signature [96]byte, root, message [32]byte) (ballot, error) {
	index, ok := set.Index(signer)
	if !ok {
		return ballot{}, refuse(RuleSigner, "%x", signer)
	}
	parsed, err := parseSignature(signature)
	if err != nil {
		return ballot{}, err
	}
	return ballot{net, set, index, root, message, parsed}, nil
}

func (b *ballot) verify() error {
	if !bls.Verify(b.set.PublicKey(b.index), b.message[:], b.signature) {
		return b.invalid()
	}
	return nil
}

func (b *ballot) invalid() error {
	return refuse(RuleSignature, "signer %x over %x", b.set.members[b.index].Key, b.root)
}

// verifyBallots returns one error per ballot, nil for the valid ones. Ballots over
// the same message are verified together; the bad ones in a batch are found out.
func verifyBallots(ballots []ballot) []error {
	errs := make([]error, len(ballots))
	batches := make(map[[32]byte][]int)
	for i := range ballots {
		m := ballots[i].message
		batches[m] = append(batches[m], i)
	}
	for message, batch := range batches {
		if len(batch) == 1 {
			errs[batch[0]] = ballots[batch[0]].verify()
			continue
		}
		votes := make([]bls.Vote, len(batch))
		for j, i := range batch {
			b := &ballots[i]
			votes[j] = bls.Vote{PublicKey: b.set.PublicKey(b.index), Signature: b.signature}
		}
		for _, j := range bls.VerifySameMessage(message[:], votes) {
			errs[batch[j]] = ballots[batch[j]].invalid()
		}
	}
	return errs
}

// verifyAggregate checks that signature is that of all signers over message.
func verifyAggregate(set *Set, signers Bits, signature [96]byte, message [32]byte) (bls.Signature, error) {
	if signers.Len() != set.Len() {
		return bls.Signature{}, refuse(RuleBitfield, "%d bits for %d validators", signers.Len(), set.Len())
	}
	parsed, err := parseSignature(signature)
	if err != nil {
		return bls.Signature{}, err
	}
	keys := make([]bls.PublicKey, 0, set.Len())
	for i := range signers.Ones() {
		keys = append(keys, set.PublicKey(i))
	}
	if !bls.FastAggregateVerify(keys, message[:], parsed) {
		return bls.Signature{}, refuse(RuleSignature, "aggregate of %d signers", len(keys))
	}
	return parsed, nil
}

// checkQuorum is whether the signers, as many bits as the set has, are enough.
func checkQuorum(set *Set, signers Bits) error {
	power, err := set.PowerOf(signers)
	if err != nil {
		return err
	}
	if !Quorum(power, &set.total) {
		return refuse(RuleQuorum, "%s of %s", power.Dec(), set.total.Dec())
	}
	return nil
}
