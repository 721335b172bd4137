package p2p_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

func chainID(t *rapid.T, label string) []byte {
	return []byte(rapid.StringMatching(`[a-zA-Z0-9._-]{1,50}`).Draw(t, label))
}

func root(t *rapid.T, label string) (out [32]byte) {
	copy(out[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
	return out
}

func drawCheckpoint(t *rapid.T) attest.Checkpoint {
	return attest.Checkpoint{
		ChainID: chainID(t, "chain"), Epoch: rapid.Uint64Min(1).Draw(t, "epoch"),
		Parent: root(t, "parent"), Height: rapid.Uint64().Draw(t, "height"), OpsRoot: root(t, "ops"),
	}
}

func drawMessage(t *rapid.T) (kind string, m p2p.Message) {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return "votes", p2p.Message{Vote: &attest.Attestation{Checkpoint: drawCheckpoint(t)}}
	case 1:
		from := rapid.Uint64Max(1<<60).Draw(t, "from")
		claim := attest.CrossClaim{
			ChainID: append(chainID(t, "chain")[:1], 'x'), Epoch: rapid.Uint64Min(1).Draw(t, "epoch"), Peer: []byte("y"),
			FromEpoch: from, ToEpoch: from + 1, ToRoot: root(t, "to"),
		}
		return "votes", p2p.Message{Cross: &attest.CrossAttestation{Claim: claim}}
	case 2:
		bits := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "bits")
		return "certificates", p2p.Message{Certificate: &attest.Certificate{Checkpoint: drawCheckpoint(t), Signers: append(bits, 1)}}
	default:
		body := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "body")
		return "faults", p2p.Message{Fault: &attest.FaultProof{Kind: 1, Body: body}}
	}
}

func TestMessagesSurviveTheirEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, m := drawMessage(t)
		data, err := p2p.EncodeMessage(m)
		if err != nil {
			t.Skip("not well formed") // a bitfield without a signer, say
		}
		back, err := p2p.DecodeMessage(kind, data)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		again, err := p2p.EncodeMessage(back)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s: another encoding, %v", kind, err)
		}
	})
}

// The limits are those of the largest and smallest objects, exactly.
func TestSizeLimitsAreTight(t *testing.T) {
	long := bytes.Repeat([]byte("c"), attest.MaxChainID)
	for _, c := range []struct {
		kind string
		m    p2p.Message
		size int
	}{
		{"votes", p2p.Message{Vote: &attest.Attestation{Checkpoint: attest.Checkpoint{ChainID: long, Epoch: 1}}}, 1 + attest.MaxAttestationSize},
		{"votes", p2p.Message{Cross: &attest.CrossAttestation{Claim: attest.CrossClaim{
			ChainID: long, Epoch: 1, Peer: bytes.Repeat([]byte("d"), attest.MaxChainID), ToEpoch: 1}}}, 1 + attest.MaxCrossAttestationSize},
		{"certificates", p2p.Message{Certificate: &attest.Certificate{
			Checkpoint: attest.Checkpoint{ChainID: long, Epoch: 1}, Signers: append(bytes.Repeat([]byte{255}, 64), 1)}}, attest.MaxCertificateSize},
	} {
		data, err := p2p.EncodeMessage(c.m)
		must(t, err)
		if len(data) != c.size {
			t.Errorf("%s: the largest has %d bytes, the limit is %d", c.kind, len(data), c.size)
		}
		if _, err := p2p.DecodeMessage(c.kind, data); err != nil {
			t.Errorf("%s: %v", c.kind, err)
		}
	}
	for kind, m := range map[string]p2p.Message{
		"votes":        {Vote: vote("a", 1, 1)},
		"certificates": {Certificate: &attest.Certificate{Checkpoint: attest.Checkpoint{ChainID: []byte("a"), Epoch: 1}, Signers: []byte{0b11}}},
		"faults":       {Fault: &attest.FaultProof{Kind: 1}},
	} {
		data, err := p2p.EncodeMessage(m)
		must(t, err)
		if _, err := p2p.DecodeMessage(kind, data); err != nil {
			t.Errorf("the smallest of %s: %v", kind, err)
		}
	}
}

// FuzzMessage feeds gossip with anything: what decodes has exactly this encoding.
func FuzzMessage(f *testing.F) {
	kinds := []string{"votes", "certificates", "faults"}
	for _, m := range []p2p.Message{
		{Vote: vote("chain-a", 1, 1)}, {Cross: cross("chain-a", "chain-b", 1, 1)},
		{Certificate: certificate("chain-a", 1)}, {Fault: fault(1)},
	} {
		data, err := p2p.EncodeMessage(m)
		if err != nil {
			f.Fatal(err)
		}
		for i := range kinds {
			f.Add(uint8(i), data)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		m, err := p2p.DecodeMessage(kinds[int(kind)%len(kinds)], data)
		if err != nil {
			return
		}
		again, err := p2p.EncodeMessage(m)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("another encoding: %v", err)
		}
	})
}

// FuzzRequest feeds the sync server's decoder.
func FuzzRequest(f *testing.F) {
	f.Add(append(append([]byte{23, 0, 2, 7}, "chain-a"...), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
	f.Add(append(append([]byte{23, 0, 3, 7}, "chain-a"...), 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0))
	f.Add([]byte{16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := p2p.CheckRequestBytes(data)
		if err == nil && !bytes.HasPrefix(data, again) {
			t.Fatalf("another encoding: % x", again)
		}
	})
}

// FuzzResponse feeds the sync client's decoders.
func FuzzResponse(f *testing.F) {
	item, err := p2p.EncodeMessage(p2p.Message{Certificate: certificate("chain-a", 1)})
	if err != nil {
		f.Fatal(err)
	}
	votes, err := p2p.EncodeMessage(p2p.Message{Vote: vote("chain-a", 1, 1)})
	if err != nil {
		f.Fatal(err)
	}
	proof, err := p2p.EncodeMessage(p2p.Message{Fault: fault(1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(1), ok(append([]byte("\x07chain-a"), make([]byte, 40)...)))
	f.Add(uint8(2), ok(item))
	f.Add(uint8(3), ok([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'}))
	f.Add(uint8(4), ok(append([]byte{9, 0, 0, 0, 0, 0, 0, 0}, proof...)))
	f.Add(uint8(5), ok(votes))
	f.Add(uint8(1), []byte{1, 4, 0, 0, 0, 1, 2, 3, 4})
	f.Add(uint8(1), []byte{0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, method uint8, data []byte) {
		again, err := p2p.CheckResponseBytes(method, data)
		if err == nil && !bytes.HasPrefix(data, again) {
			t.Fatalf("another encoding: % x", again)
		}
	})
}

// Every seed of FuzzResponse that should decode does; else the fuzzing is blind.
func TestFuzzSeedsDecode(t *testing.T) {
	item, err := p2p.EncodeMessage(p2p.Message{Certificate: certificate("chain-a", 1)})
	must(t, err)
	for method, data := range map[uint8][]byte{
		1: ok(append([]byte("\x07chain-a"), make([]byte, 40)...)),
		2: ok(item),
		3: ok([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'}),
	} {
		again, err := p2p.CheckResponseBytes(method, data)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("method %d: %v", method, err)
		}
	}
	if _, err := p2p.CheckResponseBytes(3, nil); err == nil || errors.Is(err, p2p.ErrBadResponse) {
		t.Errorf("nothing at all: %v", err)
	}
}
