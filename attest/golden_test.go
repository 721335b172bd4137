package attest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden is one object in every form that another implementation has to agree on.
// Fields that an object does not have are left out.
type golden struct {
	SSZ         string `json:"ssz"`
	Root        string `json:"root,omitempty"`
	Domain      string `json:"domain,omitempty"`
	SigningRoot string `json:"signing_root,omitempty"`
	Signature   string `json:"signature,omitempty"`
	Possession  string `json:"possession,omitempty"`
	Consensus   string `json:"consensus_signature,omitempty"`
	ID          string `json:"id,omitempty"`
	Network     string `json:"network,omitempty"`
	SecretKey   string `json:"secret_key,omitempty"`

	ValidatorSet string         `json:"validator_set,omitempty"`
	Beacon       map[string]any `json:"beacon,omitempty"`
}

func encoded(b []byte) string       { return hex.EncodeToString(b) }
func encoded32(b [32]byte) string   { return encoded(b[:]) }
func encoded96(b [96]byte) string   { return encoded(b[:]) }
func secret(k bls.SecretKey) string { return encoded32(k.Bytes()) }

func TestGoldenFiles(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	ssz := func(data []byte, err error) string { return encoded(must[[]byte](t)(data, err)) }
	cp, other, cl, reg := checkpoint(7, "a"), checkpoint(7, "b"), claim(7, "a"), c.registration(2)

	vote := c.attestation(t, 1, cp)
	cross := c.crossAttestation(t, 1, cl)
	certificate := c.certificate(t, cp, 0, 2, 3)
	crossCertificate := c.crossCertificate(t, cl, 0, 2, 3)
	proof := c.doubleVote(t, c.certificate(t, cp, 0, 1), c.certificate(t, other, 1))
	equivocation := c.equivocation(t, 1)
	beacon := beaconCast(t, 4)
	slashing := beacon.slashing(t, slashedSurround(t))
	bound := c.registration(2)
	bound.ConsensusKey = attest.Ethereum(ethereumKey(t, 2)).Public()
	transition := c.transition(t, "shown", 1, 2, 3)
	attack, operations, home := realProofs().attacks[0], realProofs().operations[0], realProofs().chain.set
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[2], testNet, reg))
	consensus := must[[]byte](t)(attest.SignRegistration(attest.Ed25519(consensusKey(2)), testNet, reg))

	checkpointForms := golden{
		Network:     encoded32(testNet),
		Root:        encoded32(cp.Root()),
		Domain:      encoded32(attest.Domain(attest.DomainCheckpoint, testNet, testChain)),
		SigningRoot: encoded32(cp.SigningRoot(testNet)),
	}
	claimForms := golden{
		Network:     encoded32(testNet),
		Root:        encoded32(cl.Root()),
		Domain:      encoded32(attest.Domain(attest.DomainCross, testNet, testChain)),
		SigningRoot: encoded32(cl.SigningRoot(testNet)),
	}
	with := func(g golden, ssz, signature, key string) golden {
		g.SSZ, g.Signature, g.SecretKey = ssz, signature, key
		return g
	}
	for name, g := range map[string]golden{
		"checkpoint":        with(checkpointForms, ssz(attest.EncodeCheckpoint(cp)), "", ""),
		"attestation":       with(checkpointForms, ssz(attest.EncodeAttestation(vote)), encoded96(vote.Signature), secret(c.keys[1])),
		"certificate":       with(checkpointForms, ssz(attest.EncodeCertificate(certificate)), encoded96(certificate.Signature), ""),
		"cross_claim":       with(claimForms, ssz(attest.EncodeCrossClaim(cl)), "", ""),
		"cross_attestation": with(claimForms, ssz(attest.EncodeCrossAttestation(cross)), encoded96(cross.Signature), secret(c.keys[1])),
		"cross_certificate": with(claimForms, ssz(attest.EncodeCrossCertificate(crossCertificate)), encoded96(crossCertificate.Signature), ""),
		"validator_set":     {SSZ: ssz(attest.EncodeValidatorSet(c.set.ValidatorSet())), Root: encoded32(c.set.Root())},
		"double_vote":       {SSZ: ssz(attest.EncodeFaultProof(proof)), ID: encoded32(proof.ID()), Network: encoded32(testNet)},
		"equivocation":      {SSZ: ssz(attest.EncodeFaultProof(equivocation)), ID: encoded32(equivocation.ID())},
		"ethereum_slashing": {
			SSZ: ssz(attest.EncodeFaultProof(slashing)), ID: encoded32(slashing.ID()),
			ValidatorSet: ssz(attest.EncodeValidatorSet(beacon.set.ValidatorSet())), Beacon: goldenBeacon(testBeacon()),
		},
		"registration_ethereum": {
			Network:     encoded32(testNet),
			SSZ:         ssz(attest.EncodeRegistration(bound)),
			SigningRoot: encoded32(bound.SigningRoot(testNet)),
			Consensus:   encoded(must[[]byte](t)(attest.SignRegistration(attest.Ethereum(ethereumKey(t, 2)), testNet, bound))),
			SecretKey:   secret(ethereumKey(t, 2)),
		},
		"transition": {SSZ: ssz(attest.EncodeFaultProof(transition)), ID: encoded32(transition.ID()), Network: encoded32(testNet)},
		"light_client_attack": {
			SSZ: ssz(attest.EncodeFaultProof(attack)), ID: encoded32(attack.ID()), Network: encoded32(testNet), Root: encoded32(home.Root()),
		},
		"invalid_operations": {
			SSZ: ssz(attest.EncodeFaultProof(operations)), ID: encoded32(operations.ID()), Network: encoded32(testNet), Root: encoded32(home.Root()),
		},
		"registration": {
			Network:     encoded32(testNet),
			SSZ:         ssz(attest.EncodeRegistration(reg)),
			Root:        encoded32(reg.Root()),
			Domain:      encoded32(attest.Domain(attest.DomainRegistration, testNet, testChain)),
			SigningRoot: encoded32(reg.SigningRoot(testNet)),
			Possession:  encoded96(possession),
			Consensus:   encoded(consensus),
			SecretKey:   secret(c.keys[2]),
		},
	} {
		t.Run(name, func(t *testing.T) { compareGolden(t, name, g) })
	}
}

// goldenBeacon is what a network agreed on about a beacon chain.
func goldenBeacon(b *attest.Beacon) map[string]any {
	var forks []any
	for _, f := range b.Forks {
		forks = append(forks, map[string]any{"epoch": f.Epoch, "version": encoded(f.Version[:])})
	}
	return map[string]any{
		"genesis_validators_root": encoded32(b.GenesisValidatorsRoot), "forks": forks,
		"slots_per_epoch": b.SlotsPerEpoch, "first_slot": b.FirstSlot, "epoch_slots": b.EpochSlots,
	}
}

func compareGolden(t *testing.T, name string, g golden) {
	got, err := json.MarshalIndent(g, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if the protocol is meant to change, run with -update\ngot  %s\nwant %s", path, got, want)
	}
}

// The golden files are also inputs: they must verify as they stand on disk.
func TestGoldenFilesVerify(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		return must[[]byte](t)(hex.DecodeString(g.SSZ))
	}
	slashed := must[*attest.FaultProof](t)(attest.DecodeFaultProof(read("ethereum_slashing")))
	must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), beaconCast(t, 4).set, slashed))
	set := must[*attest.Set](t)(attest.NewSet(must[*attest.ValidatorSet](t)(attest.DecodeValidatorSet(read("validator_set")))))
	must[attest.VerifiedVote](t)(attest.VerifyAttestation(testNet, set,
		must[*attest.Attestation](t)(attest.DecodeAttestation(read("attestation")))))
	must[attest.VerifiedCertificate](t)(attest.VerifyCertificate(testNet, set,
		must[*attest.Certificate](t)(attest.DecodeCertificate(read("certificate")))))
	must[attest.VerifiedCrossVote](t)(attest.VerifyCrossAttestation(testNet, set,
		must[*attest.CrossAttestation](t)(attest.DecodeCrossAttestation(read("cross_attestation")))))
	must[attest.VerifiedCrossCertificate](t)(attest.VerifyCrossCertificate(testNet, set,
		must[*attest.CrossCertificate](t)(attest.DecodeCrossCertificate(read("cross_certificate")))))
	must[attest.VerifiedFault](t)(attest.VerifyFault(testNet, set,
		must[*attest.FaultProof](t)(attest.DecodeFaultProof(read("double_vote")))))
	must[attest.VerifiedFault](t)(attest.VerifyFault(attest.Network{}, set,
		must[*attest.FaultProof](t)(attest.DecodeFaultProof(read("equivocation")))))
}
