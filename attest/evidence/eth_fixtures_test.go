package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
)

// ethTB is what fixtures need of a test; *testing.T and *rapid.T have it.
type ethTB interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// ethVectors is the file of decoded slashings that nobody here wrote; without it the
// test is skipped, loudly.
func ethVectors(t testing.TB) []byte {
	t.Helper()
	root := os.Getenv("MESHSEC_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(root, "ethereum-slashing", "operations.json"))
	if err != nil {
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: no third-party vectors: %v; set MESHSEC_VECTORS to their folder", err)
	}
	return data
}

// ethMainnet is a chain with a fork between the epochs 10 and 11.
func ethMainnet() *ethereum.Chain {
	return &ethereum.Chain{
		GenesisValidatorsRoot: sha256.Sum256([]byte("genesis")),
		Forks:                 []ethereum.Fork{{Version: [4]byte{4, 0, 0, 0}}, {Epoch: 11, Version: [4]byte{5, 0, 0, 0}}},
	}
}

func ethSecret(t ethTB, index uint64) bls.SecretKey {
	t.Helper()
	seed := sha256.Sum256(fmt.Appendf(nil, "ethereum validator %d", index))
	key, err := bls.GenerateKey(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ethKeys(t ethTB, indices ...uint64) evidence.EthereumKeys {
	t.Helper()
	keys := make(evidence.EthereumKeys)
	for _, i := range indices {
		keys[i] = evidence.EthereumValidator{Key: ethSecret(t, i).PublicKey().Bytes(), EffectiveBalance: 32e9}
	}
	return keys
}

func ethData(source, target uint64, variant string) ethereum.AttestationData {
	return ethereum.AttestationData{
		Slot:            target * 32,
		Index:           3,
		BeaconBlockRoot: sha256.Sum256([]byte(variant)),
		Source:          ethereum.Checkpoint{Epoch: source, Root: sha256.Sum256(fmt.Appendf(nil, "checkpoint %d", source))},
		Target:          ethereum.Checkpoint{Epoch: target, Root: sha256.Sum256(fmt.Appendf(nil, "checkpoint %d", target))},
	}
}

// ethSigned is the message of the specification, written a second time: nothing of
// the package computes it.
func ethSigned(chain *ethereum.Chain, kind byte, epoch uint64, root [32]byte) [32]byte {
	version := chain.Forks[1].Version
	if epoch < chain.Forks[1].Epoch {
		version = chain.Forks[0].Version
	}
	fork := ethMerkle([32]byte{version[0], version[1], version[2], version[3]}, chain.GenesisValidatorsRoot)
	domain := [32]byte{kind}
	copy(domain[4:], fork[:28])
	return ethMerkle(root, domain)
}

// ethMerkle is the root of up to eight chunks, padded with zeroes to a power of two.
func ethMerkle(chunks ...[32]byte) [32]byte {
	for n := 1; ; n *= 2 {
		if n >= len(chunks) {
			chunks = append(chunks, make([][32]byte, n-len(chunks))...)
			break
		}
	}
	for len(chunks) > 1 {
		var level [][32]byte
		for i := 0; i < len(chunks); i += 2 {
			level = append(level, sha256.Sum256(append(bytes.Clone(chunks[i][:]), chunks[i+1][:]...)))
		}
		chunks = level
	}
	return chunks[0]
}

func ethChunk(n uint64) (chunk [32]byte) {
	for i := range 8 {
		chunk[i] = byte(n >> (8 * i))
	}
	return chunk
}

func ethDataRoot(d *ethereum.AttestationData) [32]byte {
	return ethMerkle(ethChunk(d.Slot), ethChunk(d.Index), d.BeaconBlockRoot,
		ethMerkle(ethChunk(d.Source.Epoch), d.Source.Root), ethMerkle(ethChunk(d.Target.Epoch), d.Target.Root))
}

func ethHeaderRoot(h *ethereum.BeaconBlockHeader) [32]byte {
	return ethMerkle(ethChunk(h.Slot), ethChunk(h.ProposerIndex), h.ParentRoot, h.StateRoot, h.BodyRoot)
}

func ethAttestation(t ethTB, data ethereum.AttestationData, indices ...uint64) ethereum.IndexedAttestationElectra {
	t.Helper()
	message := ethSigned(ethMainnet(), 1, data.Target.Epoch, ethDataRoot(&data))
	var signatures []bls.Signature
	for _, i := range indices {
		signatures = append(signatures, ethSecret(t, i).Sign(message[:]))
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		t.Fatal(err)
	}
	return ethereum.IndexedAttestationElectra{AttestingIndices: indices, Data: data, Signature: sum.Bytes()}
}

func ethSignedHeader(t ethTB, slot, proposer uint64, variant string) ethereum.SignedBeaconBlockHeader {
	t.Helper()
	header := ethereum.BeaconBlockHeader{
		Slot:          slot,
		ProposerIndex: proposer,
		ParentRoot:    sha256.Sum256([]byte("parent")),
		StateRoot:     sha256.Sum256([]byte("state" + variant)),
		BodyRoot:      sha256.Sum256([]byte("body" + variant)),
	}
	message := ethSigned(ethMainnet(), 0, slot/32, ethHeaderRoot(&header))
	return ethereum.SignedBeaconBlockHeader{Message: header, Signature: ethSecret(t, proposer).Sign(message[:]).Bytes()}
}

// ethDouble convicts 7 and 9 of two votes for epoch 20.
func ethDouble(t ethTB) *evidence.Ethereum {
	t.Helper()
	return &evidence.Ethereum{Attester: &ethereum.AttesterSlashingElectra{
		Attestation1: ethAttestation(t, ethData(19, 20, "a"), 3, 7, 9),
		Attestation2: ethAttestation(t, ethData(19, 20, "b"), 7, 8, 9),
	}}
}

// ethSurround convicts 7 and 9 of votes on both sides of the fork.
func ethSurround(t ethTB) *evidence.Ethereum {
	t.Helper()
	return &evidence.Ethereum{Attester: &ethereum.AttesterSlashingElectra{
		Attestation1: ethAttestation(t, ethData(8, 12, "a"), 3, 7, 9),
		Attestation2: ethAttestation(t, ethData(9, 10, "a"), 7, 9, 1000000),
	}}
}

// ethProposals convicts 5 of two blocks for one slot.
func ethProposals(t ethTB) *evidence.Ethereum {
	t.Helper()
	return &evidence.Ethereum{Proposer: &ethereum.ProposerSlashing{
		SignedHeader1: ethSignedHeader(t, 640, 5, "a"),
		SignedHeader2: ethSignedHeader(t, 640, 5, "b"),
	}}
}

func ethCast(t ethTB) evidence.EthereumKeys { return ethKeys(t, 3, 5, 7, 8, 9, 1000000) }

// ethTree is JSON as a test changes it.
type ethTree = map[string]any

// ethBeacon is evidence as the beacon API writes it.
func ethBeacon(e *evidence.Ethereum) ethTree {
	if p := e.Proposer; p != nil {
		return ethTree{"signed_header_1": ethBeaconHeader(p.SignedHeader1), "signed_header_2": ethBeaconHeader(p.SignedHeader2)}
	}
	return ethTree{"attestation_1": ethBeaconVote(e.Attester.Attestation1), "attestation_2": ethBeaconVote(e.Attester.Attestation2)}
}

func ethBeaconHeader(h ethereum.SignedBeaconBlockHeader) ethTree {
	return ethTree{"signature": ethHexOf(h.Signature[:]), "message": ethTree{
		"slot":           ethDecimal(h.Message.Slot),
		"proposer_index": ethDecimal(h.Message.ProposerIndex),
		"parent_root":    ethHexOf(h.Message.ParentRoot[:]),
		"state_root":     ethHexOf(h.Message.StateRoot[:]),
		"body_root":      ethHexOf(h.Message.BodyRoot[:]),
	}}
}

func ethBeaconVote(a ethereum.IndexedAttestationElectra) ethTree {
	indices := make([]any, len(a.AttestingIndices))
	for i, index := range a.AttestingIndices {
		indices[i] = ethDecimal(index)
	}
	checkpoint := func(c ethereum.Checkpoint) ethTree {
		return ethTree{"epoch": ethDecimal(c.Epoch), "root": ethHexOf(c.Root[:])}
	}
	return ethTree{"attesting_indices": indices, "signature": ethHexOf(a.Signature[:]), "data": ethTree{
		"slot":              ethDecimal(a.Data.Slot),
		"index":             ethDecimal(a.Data.Index),
		"beacon_block_root": ethHexOf(a.Data.BeaconBlockRoot[:]),
		"source":            checkpoint(a.Data.Source),
		"target":            checkpoint(a.Data.Target),
	}}
}

func ethHexOf(b []byte) string     { return fmt.Sprintf("0x%x", b) }
func ethDecimal(n uint64) string   { return strconv.FormatUint(n, 10) }
func ethIndices(n uint64) []uint64 { return ethRange(n, 0) }

func ethRange(n, from uint64) []uint64 {
	indices := make([]uint64, n)
	for i := range indices {
		indices[i] = from + uint64(i)
	}
	return indices
}

func ethJSON(t ethTB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ethRead parses JSON that holds one slashing.
func ethRead(t ethTB, data []byte) *evidence.Ethereum {
	t.Helper()
	all, err := evidence.ParseEthereum(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d slashings, want one", len(all))
	}
	return &all[0]
}

// ethFailsAt fails unless the rule of this name, and no other before it, was broken.
func ethFailsAt(t *testing.T, r evidence.Report, name string) {
	t.Helper()
	if r.Valid || len(r.Offenders) != 0 || r.Failed == "" {
		t.Fatalf("got %+v, want a broken rule %s", r, name)
	}
	for _, check := range r.Checks {
		if !check.OK {
			if check.Name != name || check.Detail != r.Failed {
				t.Fatalf("check %+v broke (%s), want %s", check, r.Failed, name)
			}
			return
		}
	}
	t.Fatalf("no check broke, want %s", name)
}

func ethConvicts(t *testing.T, r evidence.Report, indices ...uint64) {
	t.Helper()
	if !r.Valid || r.Failed != "" || len(r.Offenders) != len(indices) {
		t.Fatalf("got %+v, want %v convicted", r, indices)
	}
	for i, offender := range r.Offenders {
		if want := fmt.Sprintf("validator %d %s", indices[i], ethSecret(t, indices[i]).PublicKey()); offender.Name != want {
			t.Fatalf("offender %s, want %s", offender.Name, want)
		}
	}
	for _, check := range r.Checks {
		if !check.OK {
			t.Fatalf("valid with a broken check: %+v", check)
		}
	}
}
