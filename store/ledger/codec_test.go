package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// What nodes must submit is never too large: a full set of the longest keys that can be
// bound, the longest names, the fullest statement, in a trie deeper than anybody makes it.
func TestTheLargestConfirmationIsAnOperation(t *testing.T) {
	name := make([]byte, attest.MaxChainID)
	certificate := &attest.CrossCertificate{
		Claim:   attest.CrossClaim{ChainID: name, Peer: name},
		Signers: attest.NewBits(attest.MaxValidators),
	}
	set := new(attest.ValidatorSet)
	for range attest.MaxValidators {
		set.Validators = append(set.Validators, &attest.Validator{ConsensusKey: attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: make([]byte, 48)}})
	}
	in := &ledger.Import{Statement: ledger.Statement{Provider: name, Consumer: name, Entries: make([]ledger.Entry, 512)}}
	proof := trie.Proof{Siblings: make([]trie.Hash, 100)}
	for i := range proof.Siblings {
		proof.Siblings[i][0] = 1
	}
	var err error
	proof.Value, err = in.MarshalSSZ()
	must(t, err)
	reference, err := proof.MarshalBinary()
	must(t, err)
	op, err := ledger.NewConfirmPeer(certificate, set, reference)
	must(t, err)
	encoded, err := ledger.EncodeOperation(op)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ledger.DecodeOperation(encoded)
	must(t, err)
	t.Logf("%d bytes of %d", len(encoded), ledger.MaxOperation)
}
