package p2p

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// prefix of everything that belongs to one network.
func prefix(network [32]byte) string { return "/meshsec/1/" + hex.EncodeToString(network[:]) }

// VotesTopic carries attestations and cross-attestations of one chain: a byte for
// the kind (1 attestation, 2 cross-attestation), then canonical SSZ.
func VotesTopic(network [32]byte, chain string) string { return prefix(network) + "/votes/" + chain }

// CertificatesTopic carries certificates of all chains in canonical SSZ.
func CertificatesTopic(network [32]byte) string { return prefix(network) + "/certificates" }

// FaultsTopic carries fault proofs in canonical SSZ.
func FaultsTopic(network [32]byte) string { return prefix(network) + "/faults" }

// SyncProtocol is the stream protocol of sync. Whoever does not speak it is not of
// this network.
func SyncProtocol(network [32]byte) protocol.ID { return protocol.ID(prefix(network) + "/sync") }

// family tells the three kinds of topic apart.
type family uint8

const (
	votes family = iota
	certificates
	faults
)

// channel is one gossip topic as this package knows it.
type channel struct {
	family family
	name   string // on the wire
	label  string // in metrics and logs: votes/<chain>, certificates, faults
	chain  string // only for votes
}

// channelsOf lists every topic of a network.
func channelsOf(network [32]byte, chains []string) []*channel {
	all := make([]*channel, 0, len(chains)+2)
	for _, chain := range chains {
		all = append(all, &channel{votes, VotesTopic(network, chain), "votes/" + chain, chain})
	}
	return append(all,
		&channel{certificates, CertificatesTopic(network), "certificates", ""},
		&channel{faults, FaultsTopic(network), "faults", ""})
}

// messageID is SHA-256(len(topic) ‖ topic ‖ data)[:20], the length being 8 bytes
// little-endian. Data that is not canonical is rejected, so that one object has one
// id.
func messageID(topic string, data []byte) string {
	h := sha256.New()
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(topic)))
	h.Write(length[:])
	h.Write([]byte(topic))
	h.Write(data)
	return string(h.Sum(nil)[:20])
}
