package p2p

import (
	"bytes"
	"context"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
)

// PublishRaw sends bytes that no honest node would.
func (n *Node) PublishRaw(ctx context.Context, topic string, data []byte) error {
	for c, t := range n.topics {
		if c.name == topic {
			return t.Publish(ctx, data, pubsub.WithValidatorData(&origin{own: true}))
		}
	}
	panic("no such topic")
}

// Host is the libp2p host underneath, for adversaries.
func (n *Node) Host() host.Host { return n.host }

// EncodeMessage is the gossip form of a message, DecodeMessage its inverse for the
// topic of a chain's votes ("votes"), or "certificates" or "faults".
func EncodeMessage(m Message) ([]byte, error) {
	_, data, err := m.encode()
	return data, err
}

func DecodeMessage(kind string, data []byte) (Message, error) {
	f := map[string]family{"votes": votes, "certificates": certificates, "faults": faults}[kind]
	m, refused := decodeFamily(f, data)
	if refused != nil {
		return m, refused
	}
	return m, nil
}

// CheckRequestBytes decodes a request from a stream, and says how it encodes again.
func CheckRequestBytes(data []byte) (again []byte, err error) {
	r, err := readRequest(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = writeRequest(&out, r)
	return out.Bytes(), err
}

// CheckResponseBytes decodes a whole response to a request of the given method, as a
// client does, and says how it encodes again.
func CheckResponseBytes(m uint8, data []byte) (again []byte, err error) {
	r := request{method: method(m), chain: "chain-a", from: 1, limit: 4}
	switch r.method {
	case methodHeads:
		r.chain, r.from, r.limit = "", 0, 0
	case methodFaults:
		r.chain = ""
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	answer, err := readResponse(bytes.NewReader(data), r)
	if err != nil {
		return nil, err
	}
	if answer.status == statusOK {
		items, err := decodePage(r, answer.payload)
		if err != nil {
			return nil, err
		}
		switch r.method {
		case methodHeads:
			_, err = decodeHeads(r, items)
		case methodCertificates:
			_, err = decodeCertificates(r, items)
		case methodEpochs:
			_, err = decodePieces(r, items)
		case methodFaults:
			_, err = decodeFaults(r, items)
		default:
			_, err = decodeVotes(r, items)
		}
		if err != nil {
			return nil, err
		}
		answer.payload = (&page{items: items}).encode()
	}
	var out bytes.Buffer
	err = writeResponse(&out, answer)
	return out.Bytes(), err
}

// ConditionsTable is the generated part of docs/gossip.md.
func ConditionsTable() string { return conditionsTable() }

// Listeners is how many peers listen to a topic.
func (n *Node) Listeners(topic string) int { return len(n.gossip.ListPeers(topic)) }
