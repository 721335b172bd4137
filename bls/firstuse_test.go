package bls_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/meshsec/meshsec/bls"
)

// firstUses are calls that a program may make before any other. If one of them
// reaches the C library before it is initialised, the process dies with SIGSEGV.
var firstUses = map[string]func(){
	"ParsePublicKey":      func() { _, _ = bls.ParsePublicKey(infinity(bls.PublicKeySize, 0)) },
	"ParseSignature":      func() { _, _ = bls.ParseSignature(infinity(bls.SignatureSize, 0)) },
	"ParseSecretKey":      func() { _, _ = bls.ParseSecretKey(make([]byte, bls.SecretKeySize)) },
	"GenerateKey":         func() { _, _ = bls.GenerateKey(seededReader(1)) },
	"DeriveMaster":        func() { _, _ = bls.DeriveMaster(make([]byte, 32)) },
	"DerivePath":          func() { _, _ = bls.DerivePath(make([]byte, 32), "m/1") },
	"DecryptKeystore":     func() { _, _ = bls.DecryptKeystore([]byte("{}"), "") },
	"Aggregate":           func() { _, _ = bls.Aggregate(make([]bls.Signature, 2)) },
	"AggregatePublicKeys": func() { _, _ = bls.AggregatePublicKeys(make([]bls.PublicKey, 2)) },
	"Verify":              func() { bls.Verify(bls.PublicKey{}, nil, bls.Signature{}) },
	"VerifyPossession":    func() { bls.VerifyPossession(bls.PublicKey{}, [32]byte{}, bls.Signature{}) },
	"FastAggregateVerify": func() { bls.FastAggregateVerify(make([]bls.PublicKey, 2), nil, bls.Signature{}) },
	"AggregateVerify":     func() { bls.AggregateVerify(make([]bls.PublicKey, 2), make([][]byte, 2), bls.Signature{}) },
	"VerifyBatch":         func() { bls.VerifyBatch(make([]bls.SignatureSet, 2)) },
	"VerifySameMessage":   func() { bls.VerifySameMessage(nil, make([]bls.Vote, 2)) },
}

// TestEveryCallMayBeTheFirst makes each first call in a process of its own: this
// test binary, which finds the name of the call in its environment.
func TestEveryCallMayBeTheFirst(t *testing.T) {
	const variable = "MESHSEC_TEST_FIRST_USE"
	if name := os.Getenv(variable); name != "" {
		firstUses[name]()
		return
	}
	for name := range firstUses {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEveryCallMayBeTheFirst$")
		cmd.Env = append(os.Environ(), variable+"="+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%.300s", name, err, out)
		}
	}
}
