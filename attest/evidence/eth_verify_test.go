package evidence_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
)

// TestEthereumEvidenceConvicts goes through the JSON of the beacon API.
func TestEthereumEvidenceConvicts(t *testing.T) {
	for _, c := range []struct {
		name    string
		e       *evidence.Ethereum
		epoch   uint64
		convict []uint64
	}{
		{"double vote", ethDouble(t), 20, []uint64{7, 9}},
		{"surround vote across a fork", ethSurround(t), 12, []uint64{7, 9}},
		{"proposals", ethProposals(t), 20, []uint64{5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := ethBeacon(c.e)
			for _, data := range [][]byte{
				ethJSON(t, tree),
				ethJSON(t, []any{tree}),
				ethJSON(t, ethTree{"data": tree}),
				ethJSON(t, ethTree{"version": "electra", "execution_optimistic": false, "data": []any{tree}}),
				[]byte(" \n" + strings.ReplaceAll(string(ethJSON(t, tree)), ":", " :\t") + "\r\n"),
			} {
				report := ethRead(t, data).Verify(ethMainnet(), ethCast(t))
				ethConvicts(t, report, c.convict...)
				if report.Kind != "ethereum_slashing" || report.Epoch != c.epoch || report.Offenders[0].Power != "32000000000" {
					t.Fatalf("got %+v", report)
				}
			}
		})
	}
}

func TestEthereumBlockHoldsSlashings(t *testing.T) {
	block := ethTree{"version": "electra", "data": ethTree{"signature": "0x", "message": ethTree{"slot": "1", "body": ethTree{
		"graffiti":           "a \\\" quote, { and [",
		"proposer_slashings": []any{ethBeacon(ethProposals(t))},
		"attester_slashings": []any{ethBeacon(ethDouble(t)), ethBeacon(ethSurround(t))},
	}}}}
	all, err := evidence.ParseEthereum(ethJSON(t, block))
	if err != nil || len(all) != 3 {
		t.Fatalf("%d slashings, %v", len(all), err)
	}
	for i := range all {
		if r := all[i].Verify(ethMainnet(), ethCast(t)); !r.Valid {
			t.Fatalf("got %+v", r)
		}
	}
}

// ethLeaves calls change for every string in the tree with a function that replaces it.
func ethLeaves(v any, path string, set func(any), visit func(path, value string, set func(any))) {
	switch v := v.(type) {
	case ethTree:
		for name, member := range v {
			ethLeaves(member, path+"/"+name, func(x any) { v[name] = x }, visit)
		}
	case []any:
		for i, element := range v {
			ethLeaves(element, fmt.Sprintf("%s/%d", path, i), func(x any) { v[i] = x }, visit)
		}
	case string:
		visit(path, v, set)
	}
}

// ethOthers are values that a field could be given instead.
func ethOthers(value string) []any {
	if strings.HasPrefix(value, "0x") {
		first := "0x" + string("123456789abcdef0"[strings.IndexByte("0123456789abcdef", value[2])]) + value[3:]
		return []any{ethFlip(value), first, "0x" + strings.Repeat("0", len(value)-2), value[:len(value)-2], value + "00", value[2:], "", nil, []any{}}
	}
	return []any{value + "0", value + "1", "0", "18446744073709551615", "18446744073709551616", "-1", "0" + value, "1e2", "", nil, []any{value}}
}

// TestEthereumNoFieldCanBeChanged: whatever field of valid evidence is changed, it is
// invalid, or not readable.
func TestEthereumNoFieldCanBeChanged(t *testing.T) {
	for name, e := range map[string]*evidence.Ethereum{"double": ethDouble(t), "surround": ethSurround(t), "proposals": ethProposals(t)} {
		chain, keys := ethMainnet(), ethCast(t)
		fields, changes := 0, 0
		tree := ethBeacon(e)
		ethLeaves(tree, name, nil, func(path, value string, set func(any)) {
			fields++
			for _, other := range ethOthers(value) {
				if other == value {
					continue
				}
				changes++
				set(other)
				all, err := evidence.ParseEthereum(ethJSON(t, tree))
				if err == nil && all[0].Verify(chain, keys).Valid {
					t.Errorf("%s: valid with %q in place of %q", path, other, value)
				}
			}
			set(value)
		})
		ethConvictsAnybody(t, tree)
		t.Logf("%s: %d changes of %d fields", name, changes, fields)
	}
}

// ethConvictsAnybody makes sure that a test put back what it changed.
func ethConvictsAnybody(t *testing.T, tree ethTree) {
	t.Helper()
	if r := ethRead(t, ethJSON(t, tree)).Verify(ethMainnet(), ethCast(t)); !r.Valid {
		t.Fatalf("not valid unchanged: %+v", r)
	}
}

func TestEthereumBrokenRules(t *testing.T) {
	infinity := [96]byte{0xc0}
	for _, c := range []struct {
		name, rule string
		e          *evidence.Ethereum
		change     func(*evidence.Ethereum)
	}{
		{"the same vote twice", "slashable_data", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation2 = e.Attester.Attestation1 }},
		{"the same vote of two aggregates", "slashable_data", ethDouble(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation2 = ethAttestation(t, e.Attester.Attestation1.Data, 7, 8)
		}},
		{"the inner vote first", "slashable_data", ethSurround(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation1, e.Attester.Attestation2 = e.Attester.Attestation2, e.Attester.Attestation1
		}},
		{"different targets", "slashable_data", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation2 = ethAttestation(t, ethData(20, 21, "b"), 7, 9) }},
		{"the same source, later target", "slashable_data", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation2 = ethAttestation(t, ethData(19, 21, "b"), 7, 9) }},
		{"no attesters", "indices_1", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation1.AttestingIndices = nil }},
		{"unsorted", "indices_2", ethDouble(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation2 = ethAttestation(t, e.Attester.Attestation2.Data, 9, 7)
		}},
		{"repeated, and signed twice", "indices_1", ethDouble(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation1 = ethAttestation(t, e.Attester.Attestation1.Data, 7, 7)
		}},
		{"nobody in common", "accused", ethDouble(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation2 = ethAttestation(t, e.Attester.Attestation2.Data, 5, 8)
		}},
		{"unknown key", "keys", ethDouble(t), func(e *evidence.Ethereum) {
			e.Attester.Attestation2 = ethAttestation(t, e.Attester.Attestation2.Data, 7, 77)
		}},
		{"infinity", "signature_1", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation1.Signature = infinity }},
		{"signatures swapped", "signature_1", ethDouble(t), func(e *evidence.Ethereum) {
			a, b := &e.Attester.Attestation1.Signature, &e.Attester.Attestation2.Signature
			*a, *b = *b, *a
		}},
		{"a signer too many", "signature_2", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation2.AttestingIndices = []uint64{3, 7, 8, 9} }},
		{"a signer too few", "signature_2", ethDouble(t), func(e *evidence.Ethereum) { e.Attester.Attestation2.AttestingIndices = []uint64{7, 8} }},
		{"the same header", "different_headers", ethProposals(t), func(e *evidence.Ethereum) { e.Proposer.SignedHeader2 = e.Proposer.SignedHeader1 }},
		{"different slots", "same_slot", ethProposals(t), func(e *evidence.Ethereum) { e.Proposer.SignedHeader2 = ethSignedHeader(t, 641, 5, "b") }},
		{"different proposers", "same_proposer", ethProposals(t), func(e *evidence.Ethereum) { e.Proposer.SignedHeader2 = ethSignedHeader(t, 640, 7, "b") }},
		{"unknown proposer", "keys", ethProposals(t), func(e *evidence.Ethereum) {
			e.Proposer.SignedHeader1, e.Proposer.SignedHeader2 = ethSignedHeader(t, 640, 6, "a"), ethSignedHeader(t, 640, 6, "b")
		}},
		{"infinite proposal", "signature_2", ethProposals(t), func(e *evidence.Ethereum) { e.Proposer.SignedHeader2.Signature = infinity }},
		{"proposals swapped", "signature_1", ethProposals(t), func(e *evidence.Ethereum) {
			a, b := &e.Proposer.SignedHeader1.Signature, &e.Proposer.SignedHeader2.Signature
			*a, *b = *b, *a
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change(c.e)
			ethFailsAt(t, c.e.Verify(ethMainnet(), ethCast(t)), c.rule)
		})
	}
}

// TestEthereumBothSignaturesAreReported also where the first is bad already.
func TestEthereumBothSignaturesAreReported(t *testing.T) {
	e := ethDouble(t)
	e.Attester.Attestation1.Signature = e.Attester.Attestation2.Signature
	checks := e.Verify(ethMainnet(), ethCast(t)).Checks
	if n := len(checks); checks[n-2].OK || !checks[n-1].OK || checks[n-1].Name != "signature_2" {
		t.Fatalf("got %+v", checks)
	}
}

func TestEthereumWrongChainOrKeys(t *testing.T) {
	root, version, fork, genesis := ethMainnet(), ethMainnet(), ethMainnet(), ethMainnet()
	root.GenesisValidatorsRoot[31] ^= 1
	version.Forks[1].Version[0]++
	fork.Forks[1].Epoch = 9 // the second vote would be after it
	genesis.Forks[0].Version[3]++
	for _, chain := range []*ethereum.Chain{root, version} {
		ethFailsAt(t, ethSurround(t).Verify(chain, ethCast(t)), "signature_1")
	}
	for _, chain := range []*ethereum.Chain{fork, genesis} {
		ethFailsAt(t, ethSurround(t).Verify(chain, ethCast(t)), "signature_2")
	}
	ethFailsAt(t, ethSurround(t).Verify(nil, ethCast(t)), "chain")
	ethFailsAt(t, ethSurround(t).Verify(ethMainnet(), nil), "keys")

	keys := ethCast(t)
	keys[9], keys[3] = keys[3], keys[9]
	ethFailsAt(t, ethDouble(t).Verify(ethMainnet(), keys), "signature_2")
	keys[9] = evidence.EthereumValidator{Key: [48]byte{0xc0}}
	ethFailsAt(t, ethDouble(t).Verify(ethMainnet(), keys), "keys")

	e := ethDouble(t)
	if e.Needs(nil, keys) == nil || e.Needs(ethMainnet(), nil) == nil || e.Needs(ethMainnet(), keys) != nil {
		t.Fatal("Needs does not say what is missing")
	}
	var zero evidence.Ethereum
	if r := zero.Verify(ethMainnet(), keys); r.Valid || r.Failed == "" {
		t.Fatalf("nothing convicts: %+v", r)
	}
}

// TestEthereumRogueKeysCancel: two signers whose keys cancel have the infinite
// signature, which satisfies the pairing.
func TestEthereumRogueKeysCancel(t *testing.T) {
	keys := ethKeys(t, 7)
	negative := keys[7]
	negative.Key[0] ^= 0x20
	keys[8] = negative
	e := ethDouble(t)
	for _, a := range []*ethereum.IndexedAttestationElectra{&e.Attester.Attestation1, &e.Attester.Attestation2} {
		a.AttestingIndices, a.Signature = []uint64{7, 8}, [96]byte{0xc0}
	}
	ethFailsAt(t, e.Verify(ethMainnet(), keys), "signature_1")
}

// ethVoted is a vote that somebody signed.
type ethVoted struct {
	data      ethereum.AttestationData
	signature bls.Signature
}

// TestEthereumHonestAreNeverConvicted: validators sign votes as they please, but the
// honest ones neither two for a target nor one around another. Whatever aggregates are
// made of all signatures, with whatever indices written over them, convict no honest
// one; and whom they convict did break a rule.
func TestEthereumHonestAreNeverConvicted(t *testing.T) {
	const validators, honest = 5, 3 // 0, 1 and 2
	keys, secrets := ethKeys(t, ethIndices(validators)...), make([]bls.SecretKey, validators)
	for i := range secrets {
		secrets[i] = ethSecret(t, uint64(i))
	}
	convictions := 0
	rapid.Check(t, func(t *rapid.T) {
		votes := make([][]ethVoted, validators)
		for range rapid.IntRange(8, 16).Draw(t, "votes") {
			who := rapid.IntRange(0, validators-1).Draw(t, "who")
			source := rapid.Uint64Range(0, 3).Draw(t, "source")
			data := ethData(source, source+rapid.Uint64Range(0, 4).Draw(t, "distance"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "fork"))
			if who < honest && slices.ContainsFunc(votes[who], func(v ethVoted) bool { return ethContradict(v.data, data) }) {
				continue
			}
			message := ethSigned(ethMainnet(), 1, data.Target.Epoch, ethDataRoot(&data))
			votes[who] = append(votes[who], ethVoted{data, secrets[who].Sign(message[:])})
		}
		all := slices.Concat(votes...)
		// side is all signatures over data, and at times others who are said to have signed.
		side := func(data ethereum.AttestationData) ethereum.IndexedAttestationElectra {
			var indices []uint64
			var signatures []bls.Signature
			liar := rapid.IntRange(0, 3).Draw(t, "lies") == 0
			for who := range validators {
				i := slices.IndexFunc(votes[who], func(v ethVoted) bool { return v.data == data })
				if i >= 0 {
					signatures = append(signatures, votes[who][i].signature)
				}
				if i >= 0 || liar && rapid.Bool().Draw(t, "claimed") {
					indices = append(indices, uint64(who))
				}
			}
			sum, err := bls.Aggregate(signatures)
			if err != nil {
				t.Fatal(err)
			}
			return ethereum.IndexedAttestationElectra{AttestingIndices: indices, Data: data, Signature: sum.Bytes()}
		}
		for _, first := range all {
			for _, second := range all {
				e := evidence.Ethereum{Attester: &ethereum.AttesterSlashingElectra{Attestation1: side(first.data), Attestation2: side(second.data)}}
				report := e.Verify(ethMainnet(), keys)
				for _, offender := range report.Offenders {
					convictions++
					var who int
					if _, err := fmt.Sscanf(offender.Name, "validator %d", &who); err != nil {
						t.Fatal(err)
					}
					if who < honest || !ethGuilty(votes[who]) {
						t.Fatalf("validator %d is convicted by %+v", who, report)
					}
				}
			}
		}
	})
	if convictions == 0 {
		t.Error("nobody at all was convicted: this checks nothing")
	}
	t.Logf("%d convictions of validators who broke a rule", convictions)
}

// ethContradict is the rule as a validator reads it, with no order of the two.
func ethContradict(a, b ethereum.AttestationData) bool {
	if a == b {
		return false
	}
	inside := func(a, b ethereum.AttestationData) bool {
		return b.Source.Epoch < a.Source.Epoch && a.Target.Epoch < b.Target.Epoch
	}
	return a.Target.Epoch == b.Target.Epoch || inside(a, b) || inside(b, a)
}

func ethGuilty(votes []ethVoted) bool {
	for i, a := range votes {
		for _, b := range votes[:i] {
			if ethContradict(a.data, b.data) {
				return true
			}
		}
	}
	return false
}

func TestEthereumReportIsPlainJSON(t *testing.T) {
	data := ethJSON(t, ethProposals(t).Verify(nil, nil))
	var report evidence.Report
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"offenders":[]`) {
		t.Fatalf("no offenders are not an empty list: %s", data)
	}
}
