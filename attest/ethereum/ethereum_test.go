package ethereum_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest/ethereum"
)

func unhex32(t *testing.T, text string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		t.Fatalf("%s is not 32 bytes", text)
	}
	return [32]byte(b)
}

// The domain is that of a published test of the consensus specification.
func TestDomainIsThatOfTheSpecification(t *testing.T) {
	c := &ethereum.Chain{
		GenesisValidatorsRoot: unhex32(t, "5dec7ae03261fde20d5b024dfabce8bac3276c9a4908e23d50ba8c9b50b0adff"),
		Forks:                 []ethereum.Fork{{Version: [4]byte{0, 0, 0, 1}}},
	}
	want := unhex32(t, "0100000046324489ceb6ada6d118eacdbe94f49b1fcb49d5481a685979670c7c")
	if got := c.Domain(ethereum.DomainAttester, 0); got != want {
		t.Fatalf("domain %x, want %x", got, want)
	}
	root := unhex32(t, "961d5231e076a405a5a8c104a1332856915381de3cebc59be00550ca9b48bdcf")
	if got, want := ethereum.SigningRoot(root, want), unhex32(t, "69241e7146cdcc5a5ddc9a60bab8f378c0271e548065a38bcc60624e1dbed97f"); got != want {
		t.Fatalf("signing root %x, want %x", got, want)
	}
}

func TestDomainIsThatOfTheEpochsFork(t *testing.T) {
	c := &ethereum.Chain{Forks: []ethereum.Fork{{0, [4]byte{0}}, {10, [4]byte{1}}, {20, [4]byte{2}}}}
	alone := func(version byte) [32]byte {
		return (&ethereum.Chain{Forks: []ethereum.Fork{{Version: [4]byte{version}}}}).Domain(ethereum.DomainProposer, 7)
	}
	for epoch, version := range map[uint64]byte{0: 0, 9: 0, 10: 1, 19: 1, 20: 2, math.MaxUint64: 2} {
		if c.Domain(ethereum.DomainProposer, epoch) != alone(version) {
			t.Errorf("epoch %d does not have version %d", epoch, version)
		}
	}
}

func TestSlotsAndEpochs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &ethereum.Chain{SlotsPerEpoch: rapid.Uint64Range(0, 64).Draw(t, "slots")}
		epoch := rapid.Uint64().Draw(t, "epoch")
		per := c.SlotsPerEpoch
		if per == 0 {
			per = 32
		}
		start, ok := c.StartOf(epoch)
		if ok != (epoch <= math.MaxUint64/per) {
			t.Fatalf("epoch %d of %d slots: ok is %v", epoch, per, ok)
		}
		if ok && (c.EpochOf(start) != epoch || start > 0 && c.EpochOf(start-1) != epoch-1) {
			t.Fatalf("epoch %d does not start at slot %d", epoch, start)
		}
	})
}

// The rule as the specification writes it, over whole attestations.
func TestVotesContradictAsInTheSpecification(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *ethereum.AttestationData {
			n := rapid.SliceOfN(rapid.Uint64Range(0, 3), 4, 4).Draw(t, label)
			return &ethereum.AttestationData{
				Slot: n[0], BeaconBlockRoot: [32]byte{byte(n[1])},
				Source: ethereum.Checkpoint{Epoch: n[2]}, Target: ethereum.Checkpoint{Epoch: n[3]},
			}
		}
		a, b := draw("a"), draw("b")
		double := *a != *b && a.Target.Epoch == b.Target.Epoch
		surround := a.Source.Epoch < b.Source.Epoch && b.Target.Epoch < a.Target.Epoch
		if va, vb := a.Vote(), b.Vote(); va.Doubles(vb) != double || va.Surrounds(vb) != surround || double && surround {
			t.Fatalf("%+v and %+v: double %v, surround %v", a, b, va.Doubles(vb), va.Surrounds(vb))
		}
	})
}

type codec struct {
	name   string
	max    int
	sample interface{ MarshalSSZ() ([]byte, error) }
	decode func([]byte) (interface{ MarshalSSZ() ([]byte, error) }, error)
}

func codecs() []codec {
	type object = interface{ MarshalSSZ() ([]byte, error) }
	vote := ethereum.IndexedAttestation{AttestingIndices: []uint64{1, 5}, Data: ethereum.AttestationData{Slot: 9}}
	since := ethereum.IndexedAttestationElectra(vote)
	return []codec{
		{"attestation data", ethereum.AttestationDataSize, &vote.Data, func(b []byte) (object, error) { return ethereum.DecodeAttestationData(b) }},
		{"header", ethereum.BeaconBlockHeaderSize, &ethereum.BeaconBlockHeader{Slot: 9}, func(b []byte) (object, error) { return ethereum.DecodeBeaconBlockHeader(b) }},
		{"attester slashing", ethereum.MaxAttesterSlashingSize, &ethereum.AttesterSlashing{Attestation1: vote, Attestation2: vote},
			func(b []byte) (object, error) { return ethereum.DecodeAttesterSlashing(b) }},
		{"attester slashing since Electra", ethereum.MaxAttesterSlashingElectraSize, &ethereum.AttesterSlashingElectra{Attestation1: since, Attestation2: since},
			func(b []byte) (object, error) { return ethereum.DecodeAttesterSlashingElectra(b) }},
		{"proposer slashing", ethereum.ProposerSlashingSize, new(ethereum.ProposerSlashing), func(b []byte) (object, error) { return ethereum.DecodeProposerSlashing(b) }},
	}
}

func TestEncodingsAreCanonical(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			data, err := c.sample.MarshalSSZ()
			if err != nil {
				t.Fatal(err)
			}
			o, err := c.decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := o.MarshalSSZ(); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("another encoding: %v", err)
			}
			for name, bad := range map[string][]byte{"nothing": nil, "cut": data[:len(data)-1], "begins later": data[1:]} {
				if _, err := c.decode(bad); !errors.Is(err, ethereum.ErrEncoding) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if _, err := c.decode(append(slices.Clone(data), 0)); err == nil {
				t.Error("a byte more decodes")
			}
			if _, err := c.decode(make([]byte, c.max+1)); !errors.Is(err, ethereum.ErrSize) {
				t.Errorf("too long: %v", err)
			}
		})
	}
}

// FuzzDecode: what decodes, of whatever kind, has one encoding.
func FuzzDecode(f *testing.F) {
	for _, c := range codecs() {
		data, err := c.sample.MarshalSSZ()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range codecs() {
			o, err := c.decode(data)
			if err != nil {
				continue
			}
			if again, err := o.MarshalSSZ(); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%s: another encoding: %v", c.name, err)
			}
		}
	})
}
