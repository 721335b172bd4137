package evidence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
)

func ethUnreadable(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
		t.Fatalf("the error is not one short line: %s", err)
	}
}

func TestEthereumUnreadable(t *testing.T) {
	good := string(ethJSON(t, ethBeacon(ethDouble(t))))
	proposals := string(ethJSON(t, ethBeacon(ethProposals(t))))
	for name, data := range map[string]string{
		"nothing":               "",
		"no JSON":               "slashing",
		"a string":              `"attestation_1"`,
		"null":                  `null`,
		"an empty object":       `{}`,
		"an empty list":         `[]`,
		"empty data":            `{"data":[]}`,
		"null data":             `{"data":null}`,
		"another shape":         `{"data":{"vote_a":1,"vote_b":2}}`,
		"a block without any":   `{"data":{"message":{"body":{"proposer_slashings":[],"attester_slashings":[]}}}}`,
		"a message that is not": `{"message":{"slot":"1"}}`,
		"trailing bytes":        good + "x",
		"trailing zero":         good + "\x00",
		"trailing document":     good + "{}",
		"a list in a list":      "[[" + good + "]]",
		"a list with another":   "[" + good + ",{}]",
		"data in data":          `{"data":{"data":` + good + `}}`,
		"cut":                   good[:len(good)-1],
		"one side":              `{"attestation_1"` + strings.Split(good, `"attestation_2"`)[1],
		"other case":            strings.Replace(good, "attesting_indices", "Attesting_Indices", 1),
		"a field twice":         strings.Replace(good, `"slot":`, `"slot":"1","slot":`, 1),
		"a shape twice":         strings.Replace(good, `{"attestation_1":`, `{"attestation_1":{},"attestation_1":`, 1),
		"a field too many":      strings.Replace(good, `"slot":`, `"slots":"1","slot":`, 1),
		"an escaped field":      strings.Replace(good, `"slot":`, `"\u0073lot":"1","slot":`, 1),
		"two kinds":             strings.Replace(good, `{"attestation_1"`, `{"signed_header_1":{},"attestation_1"`, 1),
		"no sides":              `{"kind":"attester_slashing","sides":[]}`,
		"a kind unknown":        `{"kind":"voluntary_exit","sides":[]}`,
		"sides that are empty":  `{"kind":"attester_slashing","sides":[{},{}]}`,
		"sides as a number":     `{"kind":"proposer_slashing","sides":5}`,
		"upper case":            strings.Replace(proposals, "0x", "0X", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if data == good || data == proposals {
				t.Fatal("the case changes nothing")
			}
			_, err := evidence.ParseEthereum([]byte(data))
			ethUnreadable(t, err, evidence.ErrEthereumShape)
		})
	}
}

func TestEthereumHostileSizes(t *testing.T) {
	_, err := evidence.ParseEthereum(make([]byte, evidence.MaxEthereumEvidence+1))
	ethUnreadable(t, err, evidence.ErrEthereumSize)
	_, err = evidence.ParseEthereumKeys(make([]byte, evidence.MaxEthereumKeys+1))
	ethUnreadable(t, err, evidence.ErrEthereumSize)
	_, err = evidence.ParseEthereumChain(make([]byte, evidence.MaxEthereumChain+1))
	ethUnreadable(t, err, evidence.ErrEthereumSize)
	_, err = evidence.ParseEthereum([]byte(strings.Repeat("[", 1<<20)))
	ethUnreadable(t, err, evidence.ErrEthereumShape)

	tree := ethBeacon(ethProposals(t))
	many := make([]any, evidence.MaxEthereumOperations+1)
	for i := range many {
		many[i] = tree
	}
	_, err = evidence.ParseEthereum(ethJSON(t, many))
	ethUnreadable(t, err, evidence.ErrEthereumSize)

	// The limit of indices is that of the fork, where the file names it.
	vote := ethTree{"data": ethBeacon(ethDouble(t))}
	for _, c := range []struct {
		version string
		n       uint64
		ok      bool
	}{
		{"deneb", ethereum.MaxAttestersPhase0, true},
		{"deneb", ethereum.MaxAttestersPhase0 + 1, false},
		{"electra", ethereum.MaxAttestersPhase0 + 1, true},
		{"electra", ethereum.MaxAttestersElectra, true},
		{"electra", ethereum.MaxAttestersElectra + 1, false},
	} {
		vote["version"] = c.version
		vote["data"].(ethTree)["attestation_1"].(ethTree)["attesting_indices"] = ethIndices(c.n)
		_, err := evidence.ParseEthereum(ethJSON(t, vote))
		if c.ok && err != nil {
			t.Fatal(err)
		} else if !c.ok {
			ethUnreadable(t, err, evidence.ErrEthereumSize)
		}
	}
}

func TestEthereumKeysFile(t *testing.T) {
	want := ethKeys(t, 7, 12345678)
	hex7, hexBig := ethKeyHex(want, 7), ethKeyHex(want, 12345678)
	answer := func(index, key string) string {
		return `{"index":"` + index + `","balance":"1","status":"active_slashed","validator":{"pubkey":"` + key + `","effective_balance":"32000000000","slashed":true}}`
	}
	for _, text := range []string{
		`{"7":"` + hex7 + `","12345678":"` + hexBig + `"}`,
		`{"execution_optimistic":false,"data":[` + answer("7", hex7) + `,` + answer("12345678", hexBig) + `]}`,
		`[` + answer("12345678", hexBig) + `,` + answer("7", hex7) + `]`,
	} {
		keys, err := evidence.ParseEthereumKeys([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for index, v := range want {
			if keys[index].Key != v.Key || len(keys) != len(want) {
				t.Fatalf("got %v", keys)
			}
		}
	}
	single, err := evidence.ParseEthereumKeys([]byte(`{"data":` + answer("7", hex7) + `}`))
	if err != nil || single[7] != want[7] {
		t.Fatalf("got %v, %v", single, err)
	}
	for _, text := range []string{
		``, `{}`, `[]`, `5`, `{"data":[]}`, `{"data":{}}`,
		`{"7":"` + hex7 + `","7":"` + hexBig + `"}`,
		`{"7":"` + hex7 + `","8":"` + hex7 + `"}`,
		`{"07":"` + hex7 + `"}`, `{"\u0037":"` + hex7 + `"}`, `{"-7":"` + hex7 + `"}`,
		`{"7":"` + hex7[:96] + `"}`, `{"7":"` + hex7[2:] + `"}`, `{"7":7}`,
		`[` + answer("7", hex7) + `,` + answer("7", hexBig) + `]`,
		`[{"index":"7"}]`, `[{"index":"7","validator":{}}]`, `[{"validator":{"pubkey":"` + hex7 + `"}}]`,
		`{"7":"` + hex7 + `"}x`,
	} {
		if keys, err := evidence.ParseEthereumKeys([]byte(text)); err == nil {
			t.Errorf("%s: got %v, want an error", text, keys)
		}
	}
}

func ethKeyHex(keys evidence.EthereumKeys, index uint64) string {
	key := keys[index].Key
	return ethHexOf(key[:])
}

func TestEthereumChainFile(t *testing.T) {
	const root = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"
	flags, err := evidence.NewEthereumChain(root, "0x05000000")
	if err != nil {
		t.Fatal(err)
	}
	file, err := evidence.ParseEthereumChain([]byte(`{"genesis_validators_root":"` + root + `","fork_version":"0x05000000"}`))
	if err != nil || !reflect.DeepEqual(file, flags) {
		t.Fatalf("got %+v and %+v, %v", file, flags, err)
	}
	fork, err := evidence.ParseEthereumChain([]byte(`{"data":{"genesis_validators_root":"` + root + `",
		"previous_version":"0x04000000","current_version":"0x05000000","epoch":"364032","slots_per_epoch":16}}`))
	if err != nil || fork.SlotsPerEpoch != 16 || !slices.Equal(fork.Forks, []ethereum.Fork{{Version: [4]byte{4}}, {Epoch: 364032, Version: [4]byte{5}}}) {
		t.Fatalf("got %+v, %v", fork, err)
	}
	for _, text := range []string{
		`{}`, `[]`, `{"genesis_validators_root":"` + root + `"}`, `{"fork_version":"0x05000000"}`,
		`{"genesis_validators_root":"` + root[:64] + `","fork_version":"0x05000000"}`,
		`{"genesis_validators_root":"` + root + `","fork_version":"0x050000"}`,
		`{"genesis_validators_root":"` + root + `","fork_version":"0x05000000","epoch":"5"}`,
		`{"genesis_validators_root":"` + root + `","previous_version":"0x05000000","epoch":"5"}`,
	} {
		if c, err := evidence.ParseEthereumChain([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", text, c)
		}
	}
	if _, err := evidence.NewEthereumChain(root, "5"); err == nil {
		t.Error("a fork version without 0x was accepted")
	}
}

// TestEthereumDecodedFormWithObjects: what an object commits to is not taken from the
// words beside it.
func TestEthereumDecodedFormWithObjects(t *testing.T) {
	chain := ethMainnet()
	build := func() ethTree {
		var sides []any
		for _, a := range []ethereum.IndexedAttestationElectra{ethDouble(t).Attester.Attestation1, ethDouble(t).Attester.Attestation2} {
			beacon := ethBeaconVote(a)
			var keys []any
			for _, index := range a.AttestingIndices {
				keys = append(keys, ethKeyHex(ethKeys(t, index), index))
			}
			root := ethDataRoot(&a.Data)
			sides = append(sides, ethTree{"attesting_indices": a.AttestingIndices, "pubkeys": keys, "data": beacon["data"],
				"object_root": ethHexOf(root[:]), "signature": beacon["signature"], "slot": a.Data.Slot, "source_epoch": a.Data.Source.Epoch, "target_epoch": a.Data.Target.Epoch})
		}
		return ethTree{"kind": "attester_slashing", "sides": sides, "fork_previous_version": "0x04000000", "fork_current_version": "0x05000000",
			"fork_epoch": 11, "genesis_validators_root": ethHexOf(chain.GenesisValidatorsRoot[:])}
	}
	ethConvicts(t, ethRead(t, ethJSON(t, build())).Verify(nil, nil), 7, 9)
	for _, name := range []string{"slot", "source_epoch", "target_epoch", "object_root"} {
		tree := build()
		side := tree["sides"].([]any)[1].(ethTree)
		delete(side, name)
		ethConvicts(t, ethRead(t, ethJSON(t, tree)).Verify(nil, nil), 7, 9)
		side[name] = 77
		if name == "object_root" {
			side[name] = "0x" + strings.Repeat("77", 32)
		}
		ethFailsAt(t, ethRead(t, ethJSON(t, tree)).Verify(nil, nil), "objects")
	}
}

// TestEthereumRoots holds hash tree roots against the genesis block of mainnet, and
// against roots that the tests compute themselves.
func TestEthereumRoots(t *testing.T) {
	header := ethereum.BeaconBlockHeader{
		StateRoot: ethRoot32(t, "7e76880eb67bbdc86250aa578958e9d0675e64e714337855204fb5abaaf82c2b"),
		BodyRoot:  ethRoot32(t, "ccb62460692be0ec813b56be97f68a82cf57abc102e27bf49ebf4190ff22eedd"),
	}
	if got, err := header.HashTreeRoot(); err != nil || got != ethRoot32(t, "4d611d5b93fdab69013a7f0a2f961caca0c853f87cfe9595fe50038163079360") {
		t.Errorf("root of the genesis block: %x, %v", got, err)
	}
	data := ethData(1<<40, 1<<41+3, "x")
	if got, err := data.HashTreeRoot(); err != nil || got != ethDataRoot(&data) {
		t.Errorf("root of attestation data: %x, want %x, %v", got, ethDataRoot(&data), err)
	}
	small := ethereum.IndexedAttestation{AttestingIndices: []uint64{1, 2}, Data: data}
	large := ethereum.IndexedAttestationElectra(small)
	a, errA := small.HashTreeRoot()
	b, errB := large.HashTreeRoot()
	if errA != nil || errB != nil || a == b {
		t.Errorf("the limit of the list is not in the root: %x, %x, %v, %v", a, b, errA, errB)
	}
}

func ethRoot32(t *testing.T, text string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		t.Fatal(text)
	}
	return [32]byte(b)
}

func TestEthereumSSZIsCanonical(t *testing.T) {
	double, proposals := ethDouble(t).Attester, ethProposals(t).Proposer
	encoded, err := double.MarshalSSZ()
	if err != nil {
		t.Fatal(err)
	}
	old, err := ethereum.DecodeAttesterSlashing(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := old.MarshalSSZ(); err != nil || !bytes.Equal(again, encoded) {
		t.Fatalf("the encodings of the forks differ: %v", err)
	}
	now, err := ethereum.DecodeAttesterSlashingElectra(encoded)
	if err != nil {
		t.Fatal(err)
	}
	ethConvicts(t, (&evidence.Ethereum{Attester: now}).Verify(ethMainnet(), ethCast(t)), 7, 9)
	header, err := proposals.MarshalSSZ()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ethereum.DecodeProposerSlashing(header); err != nil || len(header) != ethereum.ProposerSlashingSize {
		t.Fatal(len(header), err)
	}
	for _, data := range [][]byte{nil, encoded[:len(encoded)-1], append(bytes.Clone(encoded), 0), append(bytes.Clone(header), 0), header[1:]} {
		if _, err := ethereum.DecodeAttesterSlashing(data); err == nil {
			t.Errorf("%d bytes decode before Electra", len(data))
		}
		if _, err := ethereum.DecodeAttesterSlashingElectra(data); err == nil {
			t.Errorf("%d bytes decode since Electra", len(data))
		}
		if _, err := ethereum.DecodeProposerSlashing(data); err == nil {
			t.Errorf("%d bytes decode as proposals", len(data))
		}
	}
	double.Attestation1.AttestingIndices = ethIndices(ethereum.MaxAttestersElectra)
	double.Attestation2.AttestingIndices = ethIndices(ethereum.MaxAttestersElectra)
	if encoded, err = double.MarshalSSZ(); err != nil || len(encoded) != ethereum.MaxAttesterSlashingElectraSize {
		t.Fatal(len(encoded), err)
	}
	if _, err := ethereum.DecodeAttesterSlashingElectra(encoded); err != nil {
		t.Fatal(err)
	}
	_, err = ethereum.DecodeAttesterSlashing(encoded)
	ethUnreadable(t, err, ethereum.ErrSize)
}
