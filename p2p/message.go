package p2p

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Message is one object of gossip or sync: exactly one field is set.
type Message struct {
	Vote        *attest.Attestation
	Cross       *attest.CrossAttestation
	Certificate *attest.Certificate
	Fault       *attest.FaultProof
}

// The first byte of what a votes topic carries.
const (
	kindVote  = 1
	kindCross = 2
)

// Bounds of what a topic can carry, in bytes, compared before anything is decoded.
// The smallest objects have empty variable parts.
const (
	minVoteSize        = 1 + attest.MaxAttestationSize - attest.MaxChainID
	minCrossSize       = 1 + attest.MaxCrossAttestationSize - 2*attest.MaxChainID
	maxVoteMessageSize = 1 + max(attest.MaxAttestationSize, attest.MaxCrossAttestationSize)
	minVoteMessageSize = min(minVoteSize, minCrossSize)
	minCertificateSize = attest.MaxCertificateSize - attest.MaxChainID - attest.MaxValidators/8
	minFaultSize       = 5
)

// sizes of the family's messages, both inclusive.
func (f family) sizes() (least, most int) {
	switch f {
	case votes:
		return minVoteMessageSize, maxVoteMessageSize
	case certificates:
		return minCertificateSize, attest.MaxCertificateSize
	default:
		return minFaultSize, attest.MaxFaultProofSize
	}
}

// refusal is a message that was refused before the Handler saw it.
type refusal struct {
	condition Condition
	err       error
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.condition, r.err) }

// decode makes the cheap checks of a topic: size, canonical form, right chain.
func (c *channel) decode(data []byte, known func(chain string) bool) (Message, *refusal) {
	m, refused := decodeFamily(c.family, data)
	if refused != nil {
		return Message{}, refused
	}
	if m.Fault != nil {
		// A kind that attest cannot judge may be one that the Handler can.
		if _, err := attest.Peek(m.Fault); err != nil && ConditionOf(err).Verdict() == Reject {
			return Message{}, &refusal{ConditionOf(err), err}
		}
	}
	switch chain, _, ok := m.subject(); {
	case ok && !known(chain):
		return Message{}, &refusal{WrongNetwork, fmt.Errorf("chain %q is not in the manifest", chain)}
	case m.Cross != nil && !known(string(m.Cross.Claim.Peer)):
		return Message{}, &refusal{WrongNetwork, fmt.Errorf("peer chain %q is not in the manifest", m.Cross.Claim.Peer)}
	case c.family == votes && chain != c.chain:
		return Message{}, &refusal{WrongNetwork, fmt.Errorf("chain %q on the topic of %q", chain, c.chain)}
	}
	return m, nil
}

// decodeFamily decodes one message of a family of topics.
func decodeFamily(f family, data []byte) (Message, *refusal) {
	if least, most := f.sizes(); len(data) < least || len(data) > most {
		return Message{}, &refusal{WrongSize, fmt.Errorf("%d bytes, not %d to %d", len(data), least, most)}
	}
	var m Message
	var err error
	switch {
	case f == votes && data[0] == kindVote:
		m.Vote, err = attest.DecodeAttestation(data[1:])
	case f == votes && data[0] == kindCross:
		m.Cross, err = attest.DecodeCrossAttestation(data[1:])
	case f == votes:
		return Message{}, &refusal{NotCanonical, fmt.Errorf("unknown kind of vote %d", data[0])}
	case f == certificates:
		m.Certificate, err = attest.DecodeCertificate(data)
	default:
		m.Fault, err = attest.DecodeFaultProof(data)
	}
	if err != nil {
		return Message{}, &refusal{ConditionOf(err), err}
	}
	return m, nil
}

// encode is the inverse of decodeFamily. It refuses what could not be decoded.
func (m Message) encode() (family, []byte, error) {
	var (
		f      family
		set    int
		prefix []byte
		data   []byte
		err    error
	)
	if m.Vote != nil {
		set++
		f, prefix = votes, []byte{kindVote}
		data, err = attest.EncodeAttestation(m.Vote)
	}
	if m.Cross != nil {
		set++
		f, prefix = votes, []byte{kindCross}
		data, err = attest.EncodeCrossAttestation(m.Cross)
	}
	if m.Certificate != nil {
		set++
		f = certificates
		data, err = attest.EncodeCertificate(m.Certificate)
	}
	if m.Fault != nil {
		set++
		f = faults
		data, err = attest.EncodeFaultProof(m.Fault)
	}
	if set != 1 {
		return 0, nil, fmt.Errorf("p2p: a message needs exactly one object, this one has %d", set)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("p2p: encode %s: %w", m.noun(), err)
	}
	data = append(prefix, data...)
	if least, most := f.sizes(); len(data) < least || len(data) > most {
		return 0, nil, fmt.Errorf("p2p: encode %s: %d bytes, not %d to %d", m.noun(), len(data), least, most)
	}
	return f, data, nil
}

// subject is the chain and the epoch that the message is about. Fault proofs of some
// kinds do not say.
func (m Message) subject() (chain string, epoch uint64, ok bool) {
	switch {
	case m.Vote != nil:
		return string(m.Vote.Checkpoint.ChainID), m.Vote.Checkpoint.Epoch, true
	case m.Cross != nil:
		return string(m.Cross.Claim.ChainID), m.Cross.Claim.Epoch, true
	case m.Certificate != nil:
		return string(m.Certificate.Checkpoint.ChainID), m.Certificate.Checkpoint.Epoch, true
	default:
		accusation, err := attest.Peek(m.Fault)
		return accusation.ChainID, accusation.Epoch, err == nil
	}
}

func (m Message) noun() string {
	switch {
	case m.Vote != nil:
		return "vote"
	case m.Cross != nil:
		return "cross vote"
	case m.Certificate != nil:
		return "certificate"
	default:
		return "fault proof"
	}
}
