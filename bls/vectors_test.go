package bls_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
)

// vectorsFolder finds inputs that nobody here wrote; without them the test is
// skipped, loudly.
func vectorsFolder(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("MESHSEC_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "vectors")
	}
	folder := filepath.Join(root, name)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: no third-party vectors: %v; set MESHSEC_VECTORS to their folder", err)
	}
	return folder
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// hexBytes is hexadecimal with or without 0x.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.TrimPrefix(string(text), "0x"))
	*h = b
	return err
}

// Every handler runs one vector. Where a vector says that something must fail, it
// may fail as early as in parsing.
var vectorHandlers = map[string]func(t *testing.T, path string){
	"sign":                  runSign,
	"verify":                runVerify,
	"aggregate":             runAggregate,
	"fast_aggregate_verify": runFastAggregateVerify,
	"aggregate_verify":      runAggregateVerify,
	"batch_verify":          runBatchVerify,
	"deserialization_G1":    runDeserializationG1,
	"deserialization_G2":    runDeserializationG2,
	"hash_to_G2":            runHashToG2,
	"eth_aggregate_pubkeys": runAggregatePublicKeys,
}

// TestSpecificationVectors runs all of bls12-381-tests v0.1.1 and the
// eth_aggregate_pubkeys of the consensus specification.
func TestSpecificationVectors(t *testing.T) {
	folder := vectorsFolder(t, "bls")
	found, passed := 0, 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		found++
		kind := filepath.Base(filepath.Dir(path))
		run, known := vectorHandlers[kind]
		if !known {
			t.Errorf("no handler for vectors of kind %q", kind)
			return nil
		}
		if t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) { run(t, path) }) {
			passed++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatalf("%s holds no vectors", folder)
	}
	if passed != found {
		t.Errorf("%d of %d vectors passed", passed, found)
	}
	t.Logf("%d of %d vectors passed", passed, found)
}

func runSign(t *testing.T, path string) {
	var v struct {
		Input struct {
			PrivKey hexBytes `json:"privkey"`
			Message hexBytes `json:"message"`
		} `json:"input"`
		Output *hexBytes `json:"output"`
	}
	readJSON(t, path, &v)
	key, err := bls.ParseSecretKey(v.Input.PrivKey)
	if v.Output == nil {
		if err == nil {
			t.Fatal("the secret key was accepted")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Sign(v.Input.Message).Bytes(); !bytes.Equal(got[:], *v.Output) {
		t.Fatalf("signature %x, want %x", got, *v.Output)
	}
}

// claim is the input of all verifying vectors.
type claim struct {
	Input struct {
		PublicKey  hexBytes   `json:"pubkey"`
		PublicKeys []hexBytes `json:"pubkeys"`
		Message    hexBytes   `json:"message"`
		Messages   []hexBytes `json:"messages"`
		Signature  hexBytes   `json:"signature"`
		Signatures []hexBytes `json:"signatures"`
	} `json:"input"`
	Output *bool `json:"output"`
}

func checkClaim(t *testing.T, path string, verdict func(c claim) bool) {
	t.Helper()
	var c claim
	readJSON(t, path, &c)
	if c.Output == nil {
		t.Fatal("the vector has no output")
	}
	if got := verdict(c); got != *c.Output {
		t.Fatalf("got %v, want %v", got, *c.Output)
	}
}

func runVerify(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		key, keyErr := bls.ParsePublicKey(c.Input.PublicKey)
		sig, sigErr := bls.ParseSignature(c.Input.Signature)
		return keyErr == nil && sigErr == nil && bls.Verify(key, c.Input.Message, sig)
	})
}

func runFastAggregateVerify(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		keys, keyErr := parseKeys(c.Input.PublicKeys)
		sig, sigErr := bls.ParseSignature(c.Input.Signature)
		return keyErr == nil && sigErr == nil && bls.FastAggregateVerify(keys, c.Input.Message, sig)
	})
}

func runAggregateVerify(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		keys, keyErr := parseKeys(c.Input.PublicKeys)
		sig, sigErr := bls.ParseSignature(c.Input.Signature)
		var msgs [][]byte
		for _, m := range c.Input.Messages {
			msgs = append(msgs, m)
		}
		return keyErr == nil && sigErr == nil && bls.AggregateVerify(keys, msgs, sig)
	})
}

func runBatchVerify(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		keys, err := parseKeys(c.Input.PublicKeys)
		if err != nil {
			return false
		}
		var sets []bls.SignatureSet
		for i, b := range c.Input.Signatures {
			sig, err := bls.ParseSignature(b)
			if err != nil {
				return false
			}
			sets = append(sets, bls.SignatureSet{PublicKey: keys[i], Message: c.Input.Messages[i], Signature: sig})
		}
		return bls.VerifyBatch(sets)
	})
}

func runAggregate(t *testing.T, path string) {
	var v struct {
		Input  []hexBytes `json:"input"`
		Output *hexBytes  `json:"output"`
	}
	readJSON(t, path, &v)
	var encoded [][]byte
	for _, b := range v.Input {
		encoded = append(encoded, b)
	}
	got, err := bls.AggregateEncoded(encoded)
	checkEncoded(t, got, err, v.Output)
	// The public surface agrees, wherever infinity is not involved.
	var sigs []bls.Signature
	for _, b := range v.Input {
		sig, err := bls.ParseSignature(b)
		if err != nil {
			return
		}
		sigs = append(sigs, sig)
	}
	sum, err := bls.Aggregate(sigs)
	sumBytes := sum.Bytes()
	checkEncoded(t, sumBytes[:], err, v.Output)
}

func runAggregatePublicKeys(t *testing.T, path string) {
	var v struct {
		Input  []hexBytes `json:"input"`
		Output *hexBytes  `json:"output"`
	}
	readJSON(t, path, &v)
	keys, err := parseKeys(v.Input)
	var sum bls.PublicKey
	if err == nil {
		sum, err = bls.AggregatePublicKeys(keys)
	}
	b := sum.Bytes()
	checkEncoded(t, b[:], err, v.Output)
}

func checkEncoded(t *testing.T, got []byte, err error, want *hexBytes) {
	t.Helper()
	switch {
	case want == nil && err == nil:
		t.Fatalf("got %x, want an error", got)
	case want != nil && err != nil:
		t.Fatal(err)
	case want != nil && !bytes.Equal(got, *want):
		t.Fatalf("got %x, want %x", got, *want)
	}
}

func runDeserializationG1(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		accepted := bls.DecodesAsPublicKey(c.Input.PublicKey)
		if _, err := bls.ParsePublicKey(c.Input.PublicKey); (err == nil) != (accepted && !isInfinity(c.Input.PublicKey)) {
			t.Errorf("ParsePublicKey disagrees: %v", err)
		}
		return accepted
	})
}

func runDeserializationG2(t *testing.T, path string) {
	checkClaim(t, path, func(c claim) bool {
		accepted := bls.DecodesAsSignature(c.Input.Signature)
		if _, err := bls.ParseSignature(c.Input.Signature); (err == nil) != (accepted && !isInfinity(c.Input.Signature)) {
			t.Errorf("ParseSignature disagrees: %v", err)
		}
		return accepted
	})
}

func isInfinity(b []byte) bool { return len(b) > 0 && b[0] == 0xc0 }

func parseKeys(encoded []hexBytes) ([]bls.PublicKey, error) {
	var keys []bls.PublicKey
	for _, b := range encoded {
		k, err := bls.ParsePublicKey(b)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
