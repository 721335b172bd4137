package evidence_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
)

// ethSeeds are small files of every shape.
func ethSeeds(f *testing.F) [][]byte {
	f.Helper()
	double, proposals := ethBeacon(ethDouble(f)), ethBeacon(ethProposals(f))
	decoded := ethTree{"kind": "proposer_slashing", "sides": []any{ethTree{"object_root": ethHexOf(make([]byte, 32)), "slot": 1, "proposer_index": 2, "signature": "0x00"},
		ethTree{"message": proposals["signed_header_1"].(ethTree)["message"], "pubkeys": []any{"0x"}, "domain": ethHexOf(make([]byte, 32)), "signature": "0x"}}}
	return [][]byte{
		ethJSON(f, double),
		ethJSON(f, []any{double, proposals, decoded}),
		ethJSON(f, ethTree{"version": "deneb", "data": []any{proposals}}),
		ethJSON(f, ethTree{"data": ethTree{"message": ethTree{"body": ethTree{"attester_slashings": []any{double}}}}}),
		ethJSON(f, decoded),
		[]byte(`{"data":{"7":"0x` + string(bytes.Repeat([]byte("ab"), 48)) + `"}}`),
		[]byte(`{"genesis_validators_root":"0x00","fork_version":"0x00000000"}`),
	}
}

// FuzzParseEthereum reads anything and judges it. Only what was signed convicts.
func FuzzParseEthereum(f *testing.F) {
	for _, seed := range ethSeeds(f) {
		f.Add(seed)
	}
	chain, keys := ethMainnet(), ethCast(f)
	double, proposals := ethDouble(f), ethProposals(f)
	signed := [][32]byte{
		ethDataRoot(&double.Attester.Attestation1.Data), ethDataRoot(&double.Attester.Attestation2.Data),
		ethHeaderRoot(&proposals.Proposer.SignedHeader1.Message), ethHeaderRoot(&proposals.Proposer.SignedHeader2.Message),
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := evidence.ParseEthereum(data)
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%d slashings, %v", len(all), err)
		}
		if err == nil && !json.Valid(data) {
			t.Fatal("read what is not JSON")
		}
		for i := range all {
			report := all[i].Verify(chain, keys)
			if report.Valid != (report.Failed == "") || report.Valid != (len(report.Offenders) > 0) {
				t.Fatalf("%+v contradicts itself", report)
			}
			var roots [2][32]byte
			switch e := &all[i]; {
			case !report.Valid:
				continue
			case e.Attester != nil:
				roots = [2][32]byte{ethDataRoot(&e.Attester.Attestation1.Data), ethDataRoot(&e.Attester.Attestation2.Data)}
			case e.Proposer != nil:
				roots = [2][32]byte{ethHeaderRoot(&e.Proposer.SignedHeader1.Message), ethHeaderRoot(&e.Proposer.SignedHeader2.Message)}
			default:
				continue // the decoded form may lie about the epochs of what was signed
			}
			for _, root := range roots {
				if root != signed[0] && root != signed[1] && root != signed[2] && root != signed[3] {
					t.Fatalf("%x convicts, which nobody signed: %s", root, data)
				}
			}
		}
	})
}

// FuzzParseEthereumGiven reads what a caller gives.
func FuzzParseEthereumGiven(f *testing.F) {
	for _, seed := range ethSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if keys, err := evidence.ParseEthereumKeys(data); (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if chain, err := evidence.ParseEthereumChain(data); (err == nil) != (chain != nil) {
			t.Fatalf("chain %+v, %v", chain, err)
		}
	})
}

// FuzzDecodeEthereumSSZ: what decodes has one encoding, before Electra and since.
func FuzzDecodeEthereumSSZ(f *testing.F) {
	for _, o := range []interface{ MarshalSSZ() ([]byte, error) }{ethDouble(f).Attester, ethSurround(f).Attester, ethProposals(f).Proposer} {
		data, err := o.MarshalSSZ()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	chain, keys := ethMainnet(), ethCast(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		old, oldErr := ethereum.DecodeAttesterSlashing(data)
		now, err := ethereum.DecodeAttesterSlashingElectra(data)
		if oldErr == nil && err != nil {
			t.Fatalf("decodes before Electra, not since: %v", err)
		}
		if err == nil {
			again, err := now.MarshalSSZ()
			if err != nil || !bytes.Equal(again, data) {
				t.Fatalf("another encoding: %v", err)
			}
			(&evidence.Ethereum{Attester: now}).Verify(chain, keys)
		}
		if old != nil {
			if _, err := old.HashTreeRoot(); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := ethereum.DecodeProposerSlashing(data); err == nil {
			again, err := p.MarshalSSZ()
			if err != nil || !bytes.Equal(again, data) {
				t.Fatalf("another encoding: %v", err)
			}
			(&evidence.Ethereum{Proposer: p}).Verify(chain, keys)
		}
	})
}
