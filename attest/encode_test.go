package attest_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// codec is one wire object with its pair of functions, its types forgotten.
type codec struct {
	name   string
	max    int
	decode func([]byte) (any, error)
	encode func(any) ([]byte, error)
	draw   func(*rapid.T) any
}

func codecOf[T any](name string, max int, decode func([]byte) (*T, error), encode func(*T) ([]byte, error), draw func(*rapid.T) *T) codec {
	return codec{
		name:   name,
		max:    max,
		decode: func(b []byte) (any, error) { return decode(b) },
		encode: func(o any) ([]byte, error) { return encode(o.(*T)) },
		draw:   func(t *rapid.T) any { return draw(t) },
	}
}

func codecs() []codec {
	return []codec{
		codecOf("checkpoint", attest.MaxCheckpointSize, attest.DecodeCheckpoint, attest.EncodeCheckpoint, drawCheckpoint),
		codecOf("validator set", attest.MaxValidatorSetSize, attest.DecodeValidatorSet, attest.EncodeValidatorSet, drawValidatorSet),
		codecOf("attestation", attest.MaxAttestationSize, attest.DecodeAttestation, attest.EncodeAttestation, func(t *rapid.T) *attest.Attestation {
			return &attest.Attestation{Checkpoint: *drawCheckpoint(t), Signer: drawArray48(t), Signature: drawArray96(t)}
		}),
		codecOf("certificate", attest.MaxCertificateSize, attest.DecodeCertificate, attest.EncodeCertificate, drawCertificate),
		codecOf("claim", attest.MaxCrossClaimSize, attest.DecodeCrossClaim, attest.EncodeCrossClaim, drawClaim),
		codecOf("cross-attestation", attest.MaxCrossAttestationSize, attest.DecodeCrossAttestation, attest.EncodeCrossAttestation, func(t *rapid.T) *attest.CrossAttestation {
			return &attest.CrossAttestation{Claim: *drawClaim(t), Signer: drawArray48(t), Signature: drawArray96(t)}
		}),
		codecOf("cross-certificate", attest.MaxCrossCertificateSize, attest.DecodeCrossCertificate, attest.EncodeCrossCertificate, func(t *rapid.T) *attest.CrossCertificate {
			return &attest.CrossCertificate{Claim: *drawClaim(t), Signers: drawSigners(t), Signature: drawArray96(t)}
		}),
		codecOf("registration", attest.MaxRegistrationSize, attest.DecodeRegistration, attest.EncodeRegistration, func(t *rapid.T) *attest.Registration {
			return &attest.Registration{ChainID: drawChainID(t), Account: drawArray32(t), Key: drawArray48(t), ConsensusKey: drawConsensusKey(t)}
		}),
		codecOf("fault proof", attest.MaxFaultProofSize, attest.DecodeFaultProof, attest.EncodeFaultProof, func(t *rapid.T) *attest.FaultProof {
			return &attest.FaultProof{Kind: rapid.Uint8Min(1).Draw(t, "kind"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
		}),
		codecOf("double vote", attest.MaxDoubleVoteSize, attest.DecodeDoubleVote, attest.EncodeDoubleVote, drawDoubleVote),
		codecOf("equivocation", attest.MaxEquivocationSize, attest.DecodeEquivocation, attest.EncodeEquivocation, drawEquivocation),
		codecOf("ethereum slashing", attest.MaxEthereumSlashingSize, attest.DecodeEthereumSlashing, attest.EncodeEthereumSlashing, drawEthereumSlashing),
		codecOf("transition", attest.MaxTransitionSize, attest.DecodeTransition, attest.EncodeTransition, drawTransition),
	}
}

func drawArray32(t *rapid.T) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "32 bytes"))
}

func drawArray48(t *rapid.T) [48]byte {
	return [48]byte(rapid.SliceOfN(rapid.Byte(), 48, 48).Draw(t, "48 bytes"))
}

func drawArray96(t *rapid.T) [96]byte {
	return [96]byte(rapid.SliceOfN(rapid.Byte(), 96, 96).Draw(t, "96 bytes"))
}

func drawChainID(t *rapid.T) []byte {
	return []byte(rapid.StringMatching(`[a-zA-Z0-9._-]{1,50}`).Draw(t, "chain"))
}

func drawCheckpoint(t *rapid.T) *attest.Checkpoint {
	return &attest.Checkpoint{
		ChainID:        drawChainID(t),
		Epoch:          rapid.Uint64Min(1).Draw(t, "epoch"),
		Parent:         drawArray32(t),
		Height:         rapid.Uint64().Draw(t, "height"),
		BlockHash:      drawArray32(t),
		Time:           rapid.Uint64().Draw(t, "time"),
		OpsRoot:        drawArray32(t),
		LedgerRoot:     drawArray32(t),
		ValidatorsRoot: drawArray32(t),
	}
}

func drawSigners(t *rapid.T) attest.Bits {
	n := rapid.IntRange(1, attest.MaxValidators).Draw(t, "validators")
	bits := attest.NewBits(n)
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 1, -1).Draw(t, "signers") {
		bits.Set(i)
	}
	return bits
}

func drawCertificate(t *rapid.T) *attest.Certificate {
	return &attest.Certificate{Checkpoint: *drawCheckpoint(t), Signers: drawSigners(t), Signature: drawArray96(t)}
}

func drawClaim(t *rapid.T) *attest.CrossClaim {
	chain, peer := drawChainID(t), drawChainID(t)
	if bytes.Equal(chain, peer) {
		peer = []byte("another." + string(chain[:min(len(chain), 40)]))
	}
	from := rapid.Uint64Max(1<<60).Draw(t, "from")
	return &attest.CrossClaim{
		ChainID:   chain,
		Epoch:     rapid.Uint64Min(1).Draw(t, "epoch"),
		Peer:      peer,
		FromEpoch: from,
		FromRoot:  drawArray32(t),
		ToEpoch:   from + rapid.Uint64Range(1, 1<<60).Draw(t, "distance"),
		ToRoot:    drawArray32(t),
	}
}

func drawConsensusKey(t *rapid.T) attest.ConsensusKey {
	k := attest.ConsensusKey{Type: rapid.Uint8().Draw(t, "type")}
	n := rapid.IntRange(1, attest.MaxConsensusKey).Draw(t, "length")
	switch k.Type {
	case attest.KeyNone:
		n = 0
	case attest.KeyEd25519:
		n = 32
	case attest.KeyEthereum:
		n = 48
	}
	k.Bytes = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "consensus key")
	return k
}

func drawValidatorSet(t *rapid.T) *attest.ValidatorSet {
	v := &attest.ValidatorSet{Validators: []*attest.Validator{}}
	for range rapid.IntRange(0, 5).Draw(t, "validators") {
		v.Validators = append(v.Validators, &attest.Validator{
			Key:          drawArray48(t),
			Account:      drawArray32(t),
			ConsensusKey: drawConsensusKey(t),
			Power:        drawArray32(t),
		})
	}
	return v
}

func drawDoubleVote(t *rapid.T) *attest.DoubleVote {
	first, second := drawCertificate(t), drawCertificate(t)
	second.Checkpoint.ChainID, second.Checkpoint.Epoch = first.Checkpoint.ChainID, first.Checkpoint.Epoch
	second.Checkpoint.Height = first.Checkpoint.Height + 1 // another root, surely
	second.Signers = attest.Bits(first.Signers).Clone()
	a, b := first.Checkpoint.Root(), second.Checkpoint.Root()
	if bytes.Compare(a[:], b[:]) > 0 {
		first, second = second, first
	}
	return &attest.DoubleVote{ValidatorsRoot: drawArray32(t), First: *first, Second: *second}
}

func drawEquivocation(t *rapid.T) *attest.Equivocation {
	bits := attest.NewBits(rapid.IntRange(1, attest.MaxValidators).Draw(t, "validators"))
	bits.Set(rapid.IntRange(0, bits.Len()-1).Draw(t, "accused"))
	vote := func() attest.ConsensusVote {
		return attest.ConsensusVote{
			BlockHash:  drawArray32(t),
			PartsTotal: rapid.Uint32Min(1).Draw(t, "parts"),
			PartsHash:  drawArray32(t),
			Seconds:    uint64(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, "seconds")),
			Nanos:      rapid.Uint32Max(999_999_999).Draw(t, "nanos"),
			Signature:  rapid.SliceOfN(rapid.Byte(), 1, attest.MaxConsensusSignature).Draw(t, "signature"),
		}
	}
	e := &attest.Equivocation{
		ChainID:        drawChainID(t),
		Epoch:          rapid.Uint64Min(1).Draw(t, "epoch"),
		ValidatorsRoot: drawArray32(t),
		Accused:        bits,
		Key:            drawConsensusKey(t),
		Height:         rapid.Uint64Range(1, math.MaxInt64).Draw(t, "height"),
		Round:          rapid.Uint32Max(math.MaxInt32).Draw(t, "round"),
		Type:           rapid.Uint8Range(1, 2).Draw(t, "type"),
		First:          vote(),
		Second:         vote(),
	}
	if e.Key.Type == attest.KeyNone {
		e.Key = attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: make([]byte, 32)}
	}
	if rapid.Bool().Draw(t, "nil") {
		e.First.BlockHash, e.First.PartsTotal, e.First.PartsHash = [32]byte{}, 0, [32]byte{}
	} else {
		e.Second.BlockHash = e.First.BlockHash
		e.Second.BlockHash[0]++ // another block, surely
	}
	if bytes.Compare(e.First.BlockHash[:], e.Second.BlockHash[:]) > 0 {
		e.First, e.Second = e.Second, e.First
	}
	return e
}

func TestWhatEncodesDecodesToTheSame(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			o := c.draw(t)
			data, err := c.encode(o)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > c.max {
				t.Fatalf("%d bytes, the limit says %d", len(data), c.max)
			}
			again, err := c.decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again, o) {
				t.Fatalf("got %+v, want %+v", again, o)
			}
		}))
	}
}

// Mutations hit the offsets and lengths, where another form could hide.
func TestWhatDecodesEncodesToTheSame(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			data, err := c.encode(c.draw(t))
			if err != nil {
				t.Fatal(err)
			}
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "mutation") {
			case 0:
				data[at] ^= rapid.ByteMin(1).Draw(t, "flip")
			case 1:
				data = data[:at]
			case 2:
				data = append(data, rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "tail")...)
			case 3:
				data = append(data[:at:at], data[at+1:]...)
			}
			checkCanonical(t, c, data)
		}))
	}
}

// checkCanonical fails if data decodes but is not what the object encodes to.
func checkCanonical(t interface{ Fatalf(string, ...any) }, c codec, data []byte) {
	o, err := c.decode(data)
	if err != nil {
		if e, ok := err.(*attest.Error); !ok || !e.Hard() {
			t.Fatalf("%s: decoding failed with %v, which is not hard", c.name, err)
		}
		return
	}
	again, err := c.encode(o)
	if err != nil {
		t.Fatalf("%s: decoded but does not encode: %v", c.name, err)
	}
	if !bytes.Equal(again, data) {
		t.Fatalf("%s: two encodings of one object: %x and %x", c.name, data, again)
	}
}

func TestSizeIsCheckedFirst(t *testing.T) {
	for _, c := range codecs() {
		_, err := c.decode(make([]byte, c.max+1))
		wantRule(t, err, attest.RuleSize)
	}
}

func TestSizeLimitsAreReached(t *testing.T) {
	id := func(c string) []byte { return bytes.Repeat([]byte(c), attest.MaxChainID) }
	full := attest.NewBits(attest.MaxValidators)
	full.Set(0)
	cp, cl := checkpoint(1, ""), claim(1, "")
	cp.ChainID, cl.ChainID, cl.Peer = id("a"), id("a"), id("b")
	other := *cp
	other.Height++
	key := attest.ConsensusKey{Type: 9, Bytes: make([]byte, attest.MaxConsensusKey)}
	set := &attest.ValidatorSet{}
	for range attest.MaxValidators {
		set.Validators = append(set.Validators, &attest.Validator{ConsensusKey: key})
	}
	double := &attest.DoubleVote{
		First:  attest.Certificate{Checkpoint: *cp, Signers: full},
		Second: attest.Certificate{Checkpoint: other, Signers: full},
	}
	if a, b := cp.Root(), other.Root(); bytes.Compare(a[:], b[:]) > 0 {
		double.First, double.Second = double.Second, double.First
	}
	vote := attest.ConsensusVote{Signature: make([]byte, attest.MaxConsensusSignature)}
	forBlock := vote
	forBlock.PartsTotal = 1
	equivocation := &attest.Equivocation{
		ChainID: id("a"), Epoch: 1, Accused: full, Key: key, Height: 1, Type: 1, First: vote, Second: forBlock,
	}
	ballot := func(variant string) attest.EthereumSide {
		return attest.EthereumSide{Signed: must[[]byte](t)(beaconVote(1, 2, variant).MarshalSSZ()), Signers: full}
	}
	slashing := &attest.EthereumSlashing{ChainID: id("a"), Epoch: 1, First: ballot("a"), Second: ballot("b")}
	if _, err := attest.EncodeEthereumSlashing(slashing); err != nil {
		slashing.First, slashing.Second = slashing.Second, slashing.First
	}
	largest := []any{
		cp, set,
		&attest.Attestation{Checkpoint: *cp},
		&attest.Certificate{Checkpoint: *cp, Signers: full},
		cl,
		&attest.CrossAttestation{Claim: *cl},
		&attest.CrossCertificate{Claim: *cl, Signers: full},
		&attest.Registration{ChainID: id("a"), ConsensusKey: key},
		&attest.FaultProof{Kind: uint8(attest.FaultInvalidTransition), Body: make([]byte, attest.MaxFaultProofSize-5)},
		double,
		equivocation,
		slashing,
		largestTransition(id("a")),
	}
	for i, c := range codecs() {
		data, err := c.encode(largest[i])
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(data) != c.max {
			t.Errorf("%s: the largest has %d bytes, the limit is %d", c.name, len(data), c.max)
		}
		if _, err := c.decode(data); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEncodersRefuseWhatCannotBeDecoded(t *testing.T) {
	cp := *checkpoint(1, "")
	genesis := *checkpoint(0, "")
	nameless := *checkpoint(1, "")
	nameless.ChainID = nil
	long := *checkpoint(1, "")
	long.ChainID = bytes.Repeat([]byte("x"), attest.MaxChainID+1)
	strange := *checkpoint(1, "")
	strange.ChainID = []byte("a/b")
	signers := attest.NewBits(4)
	signers.Set(2)
	overlong := append(bytes.Repeat([]byte{0xff}, 64), 2)
	cl := *claim(1, "")
	own, back := cl, cl
	own.Peer = own.ChainID
	back.ToEpoch = back.FromEpoch

	cases := []struct {
		name   string
		encode func() ([]byte, error)
		rule   attest.Rule
	}{
		{"no chain id", func() ([]byte, error) { return attest.EncodeCheckpoint(&nameless) }, attest.RuleChainID},
		{"long chain id", func() ([]byte, error) { return attest.EncodeCheckpoint(&long) }, attest.RuleChainID},
		{"slash in chain id", func() ([]byte, error) { return attest.EncodeCheckpoint(&strange) }, attest.RuleChainID},
		{"genesis attested", func() ([]byte, error) {
			return attest.EncodeAttestation(&attest.Attestation{Checkpoint: genesis})
		}, attest.RuleEpoch},
		{"genesis certified", func() ([]byte, error) {
			return attest.EncodeCertificate(&attest.Certificate{Checkpoint: genesis, Signers: signers})
		}, attest.RuleEpoch},
		{"nil bitlist", func() ([]byte, error) {
			return attest.EncodeCertificate(&attest.Certificate{Checkpoint: cp})
		}, attest.RuleBitfield},
		{"bitlist without end", func() ([]byte, error) {
			return attest.EncodeCertificate(&attest.Certificate{Checkpoint: cp, Signers: []byte{1, 0}})
		}, attest.RuleBitfield},
		{"513 bits", func() ([]byte, error) {
			return attest.EncodeCertificate(&attest.Certificate{Checkpoint: cp, Signers: overlong})
		}, attest.RuleBitfield},
		{"nobody signs", func() ([]byte, error) {
			return attest.EncodeCrossCertificate(&attest.CrossCertificate{Claim: cl, Signers: attest.NewBits(4)})
		}, attest.RuleBitfield},
		{"claim about itself", func() ([]byte, error) { return attest.EncodeCrossClaim(&own) }, attest.RuleClaim},
		{"claim that stands still", func() ([]byte, error) { return attest.EncodeCrossClaim(&back) }, attest.RuleClaim},
		{"large double vote", func() ([]byte, error) {
			return attest.EncodeFaultProof(&attest.FaultProof{Kind: uint8(attest.FaultDoubleVote), Body: make([]byte, 160<<10)})
		}, attest.RuleSize},
		{"huge proof", func() ([]byte, error) {
			return attest.EncodeFaultProof(&attest.FaultProof{Kind: 2, Body: make([]byte, attest.MaxFaultProofSize)})
		}, attest.RuleSize},
		{"proof of nothing", func() ([]byte, error) { return attest.EncodeFaultProof(&attest.FaultProof{}) }, attest.RuleEncoding},
		{"nil validator", func() ([]byte, error) {
			return attest.EncodeValidatorSet(&attest.ValidatorSet{Validators: []*attest.Validator{nil}})
		}, attest.RuleSet},
		{"513 validators", func() ([]byte, error) {
			return attest.EncodeValidatorSet(&attest.ValidatorSet{Validators: make([]*attest.Validator, 513)})
		}, attest.RuleSet},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.encode()
			wantRule(t, err, c.rule)
		})
	}
}

func TestGenesisCheckpointEncodes(t *testing.T) {
	data := must[[]byte](t)(attest.EncodeCheckpoint(checkpoint(0, "")))
	must[*attest.Checkpoint](t)(attest.DecodeCheckpoint(data))
}

// fastssz reads an empty list also from a single zero offset.
func TestSecondFormOfAnEmptyListIsRefused(t *testing.T) {
	_, err := attest.DecodeValidatorSet([]byte{4, 0, 0, 0, 0, 0, 0, 0})
	wantRule(t, err, attest.RuleEncoding)
}

func TestDecodedObjectsShareNoMemory(t *testing.T) {
	data := must[[]byte](t)(attest.EncodeCheckpoint(checkpoint(1, "")))
	c := must[*attest.Checkpoint](t)(attest.DecodeCheckpoint(data))
	want := fmt.Sprint(c)
	clear(data)
	if fmt.Sprint(c) != want {
		t.Error("the object changed with the input")
	}
}
