//go:build unix

package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/circl/ecc/bls12381"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/attest/evidence"
)

// hostile is evidence that makes work.
type hostile struct {
	name  string
	knows evidence.Comet
	files [][]byte
	size  int
}

// hostiles are the dearest files of each kind that we know of.
func hostiles(t fataler) (all []hostile) {
	add := func(name string, knows evidence.Comet, files ...[]byte) {
		h := hostile{name, knows, files, 0}
		for _, f := range [][][]byte{files, knows.Keys, knows.Validators} {
			for _, b := range f {
				h.size += len(b)
			}
		}
		all = append(all, h)
	}
	powers, everyone := make([]int64, 200), make([]int, 200)
	for i := range powers {
		powers[i], everyone[i] = 1, i
	}
	c, crowd := newCast(10, 20), newCast(powers...)
	m := comet.Message(nil)

	// Two votes a piece, with as little around them as there can be.
	vote := func(address, sig []byte, block *comet.BlockID) comet.Message {
		return m.Int(1, 1).Int(2, 5).Embed(4, block.Proto()).Bytes(6, address).Bytes(8, sig)
	}
	none, block := &comet.BlockID{}, &comet.BlockID{Hash: bytes.Repeat([]byte{1}, 32), PartsTotal: 1, PartsHash: bytes.Repeat([]byte{1}, 32)}
	signed := func(i int, block *comet.BlockID) []byte {
		sig, err := c.keys[i].Sign(comet.SignBytes(twinChain, 1, 5, 0, block, time.Time{}))
		must(t, err)
		return sig
	}
	for i := range c.keys {
		address := c.set.Validators[i].Address
		double := m.Embed(1, m.Embed(1, m.Embed(1, vote(address, signed(i, none), none)).Embed(2, vote(address, signed(i, block), block))))
		add("double votes, "+c.keys[i].Type(), evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(t)}}, bytes.Repeat(double, 300))
	}
	for name, tag := range map[string]string{"none is valid": "none", "valid in the last form": "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"} {
		key, sign := blsSigner(tag)
		digest := sha256.Sum256(key)
		one, two := comet.SignBytes(twinChain, 1, 5, 0, none, time.Time{}), comet.SignBytes(twinChain, 1, 5, 0, block, time.Time{})
		double := m.Embed(1, m.Embed(1, m.Embed(1, vote(digest[:20], sign(one), none)).Embed(2, vote(digest[:20], sign(two), block))))
		add("double votes, BLS, "+name, evidence.Comet{ChainID: twinChain, Keys: [][]byte{[]byte("bls12_381:" + hex.EncodeToString(key))}}, bytes.Repeat(double, 10))
		if tag != "none" {
			add("double votes of a chain with BLS keys", evidence.Comet{ChainID: twinChain, Keys: [][]byte{[]byte("bls12_381:" + hex.EncodeToString(key))}}, bytes.Repeat(double, 100))
		}
	}

	// Commits: large ones, and a large one that many are compared with.
	real, made := crowd.lightBlock(t, 10, 0, everyone, unchanged), crowd.lightBlock(t, 10, 0, everyone, otherData)
	realProto, err := real.ToProto()
	must(t, err)
	madeProto, err := made.ToProto()
	must(t, err)
	attack := bytesOf(t, &cmtproto.LightClientAttackEvidence{ConflictingBlock: madeProto, CommonHeight: 10})
	add("a light client attack", evidence.Comet{}, attack, bytesOf(t, realProto))
	add("a light client attack in JSON", evidence.Comet{}, mustJSON(t, made), mustJSON(t, real))
	lone := newCast(1).lightBlock(t, 10, 0, []int{0}, func(h *types.Header) { h.ChainID = twinChain })
	loneProto, err := lone.ToProto()
	must(t, err)
	small := m.Embed(1, m.Embed(2, bytesOf(t, &cmtproto.LightClientAttackEvidence{ConflictingBlock: loneProto, CommonHeight: 9})))
	set, err := crowd.set.ToProto()
	must(t, err)
	add("many attacks against one header", evidence.Comet{Validators: [][]byte{bytesOf(t, set)}}, bytes.Repeat(small, 300), bytesOf(t, realProto))
	key, sign := blsSigner("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_")
	add("many headers of a BLS validator", evidence.Comet{}, bytes.Repeat(m.Embed(1, m.Embed(2, m.Embed(1, blsLight(key, sign, 2)).Int(2, 10))), 100), blsLight(key, sign, 3))

	// What is nothing, over and over.
	repeat := func(before, item, after string, n int) []byte {
		return []byte(before + strings.Repeat(item+",", n-1) + item + after)
	}
	header := `{"header":{"height":"1","chain_id":"twin-1"},"commit":{"signatures":`
	add("signatures of nothing", evidence.Comet{}, repeat(header+"[", "{}", "]}}", 9000))
	add("signatures of nothing in protobuf", evidence.Comet{}, m.Embed(1, m.Int(3, 1)).Embed(2, bytes.Repeat([]byte{0x22, 0}, 9000)))
	add("validators of nothing in protobuf", evidence.Comet{}, bytes.Repeat([]byte{0x0a, 2, 0x12, 0}, 9000))
	add("evidence of nothing in protobuf", evidence.Comet{}, bytes.Repeat([]byte{0x0a, 2, 0x0a, 0}, 1000))
	add("double votes of nothing", evidence.Comet{ChainID: twinChain}, repeat("[", `{"vote_a":{},"vote_b":{}}`, "]", 1000))
	add("objects of nothing", evidence.Comet{}, repeat("[", "{}", "]", 9000))
	add("lists of nothing", evidence.Comet{}, repeat("[", "[]", "]", 9000))
	add("numbers", evidence.Comet{}, repeat("[", "1", "]", 9000))
	add("wrapped again and again", evidence.Comet{}, []byte(strings.Repeat(`{"result":`, 20)+string(repeat("[", "{}", "]", 5000))+strings.Repeat("}", 20)))
	names := []string{}
	for i := range 5000 {
		names = append(names, fmt.Sprintf(`"%x":0`, i))
	}
	add("many names", evidence.Comet{}, []byte("{"+strings.Join(names, ",")+"}"))
	add("a long number", evidence.Comet{ChainID: twinChain}, []byte(`{"vote_a":{"height":"`+strings.Repeat("\\u0001", 10000)+`"},"vote_b":{}}`))
	add("keys of nothing", evidence.Comet{ChainID: twinChain, Keys: [][]byte{[]byte(strings.Repeat(`{"a":`, 14) + string(repeat("[", "{}", "]", 9000)) + strings.Repeat("}", 14))}}, repeat("[", `{"vote_a":{},"vote_b":{}}`, "]", 1))
	add("base64 of nothing", evidence.Comet{}, bytes.Repeat([]byte("A"), 40_000))
	add("white space", evidence.Comet{}, bytes.Repeat([]byte(" "), 40_000))
	return all
}

// blsSigner is a compressed key, and how it signs under a tag.
func blsSigner(tag string) (key []byte, sign func([]byte) []byte) {
	secret, public := new(bls12381.Scalar), new(bls12381.G1)
	secret.SetUint64(7)
	public.ScalarMult(secret, bls12381.G1Generator())
	return public.BytesCompressed(), func(msg []byte) []byte {
		sig := new(bls12381.G2)
		sig.Hash(msg, []byte(tag))
		sig.ScalarMult(secret, sig)
		return sig.BytesCompressed()
	}
}

// blsLight is a light block that one validator signed.
func blsLight(key []byte, sign func([]byte) []byte, data byte) comet.Message {
	m := comet.Message(nil)
	address := sha256.Sum256(key)
	validator := m.Embed(2, m.Embed(3, key)).Int(3, 1)
	dataHash := bytes.Repeat([]byte{data}, 32)
	leaf := sha256.Sum256(append([]byte{0}, m.Embed(1, m.Embed(3, key)).Int(2, 1)...))
	header := m.Embed(1, m.Int(1, 11)).Bytes(2, []byte(twinChain)).Int(3, 10).Bytes(7, dataHash).Bytes(8, leaf[:]).Bytes(14, address[:20])
	hash := evidence.HeaderHash([]byte(`{"chain_id":"` + twinChain + `","version":{"block":11},"height":10,"data_hash":"` + hex.EncodeToString(dataHash) + `","validators_hash":"` + hex.EncodeToString(leaf[:]) + `","proposer_address":"` + hex.EncodeToString(address[:20]) + `"}`))
	block := &comet.BlockID{Hash: hash, PartsTotal: 1, PartsHash: hash}
	sig := sign(comet.SignBytes(twinChain, comet.Precommit, 10, 0, block, time.Time{}))
	commit := m.Int(1, 10).Embed(3, block.Proto()).Embed(4, m.Int(1, 2).Bytes(2, address[:20]).Bytes(4, sig))
	return m.Embed(1, m.Embed(1, header).Embed(2, commit)).Embed(2, m.Embed(1, validator))
}

// cpuTime is what this process has used of all cores, whoever else runs.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// ed25519Time is the yardstick: how long one verification takes here and now.
func ed25519Time() time.Duration {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	msg := make([]byte, 120)
	sig := ed25519.Sign(key, msg)
	const times = 300
	start := cpuTime()
	for range times {
		comet.VerifyEd25519(key.Public().(ed25519.PublicKey), msg, sig)
	}
	return (cpuTime() - start) / times
}

// cost is the time and the bytes of memory that the evidence takes.
func (h *hostile) cost() (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	_, _ = h.knows.Verify(h.files...)
	took := cpuTime() - start
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}

// TestNoEvidenceCostsMoreThanItsSize: 10 KiB of evidence cost no more than 2500 ed25519
// verifications, which are less than 100 ms, and no more than 16 MiB, all that is ever
// allocated; a fixed base of the same comes on top. The best of five counts. With the race
// detector time tells nothing, since it slows what is written in Go.
func TestNoEvidenceCostsMoreThanItsSize(t *testing.T) {
	const unit = 10 << 10
	times := 5
	if raceEnabled {
		times = 1
		t.Log("TIME IS NOT CHECKED with the race detector, only memory")
	}
	for _, h := range hostiles(t) {
		units := 1 + float64(h.size)/unit
		best, least := math.Inf(1), uint64(0)
		for i := 0; i < times && best > 2500*units; i++ {
			one := ed25519Time()
			took, allocated := h.cost()
			best, least = min(best, float64(took)/float64(min(one, ed25519Time()))), allocated
		}
		t.Logf("%-40s %7d bytes: %6.0f verifications and %5.2f MiB for 10 KiB", h.name, h.size, best/units, float64(least)/units/(1<<20))
		if best > 2500*units && !raceEnabled || float64(least) > 16*(1<<20)*units {
			t.Errorf("%s: %.0f verifications and %d bytes for %d bytes", h.name, best, least, h.size)
		}
	}
}

// BenchmarkCometHostile is the evidence that costs the most for its size.
func BenchmarkCometHostile(b *testing.B) {
	yardstick := ed25519Time()
	for _, h := range hostiles(b) {
		b.Run(strings.ReplaceAll(h.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = h.knows.Verify(h.files...)
			}
			units := float64(h.size) / (10 << 10)
			each := float64(b.Elapsed()) / float64(b.N)
			b.ReportMetric(each/1e6/units, "ms/10KiB")
			b.ReportMetric(each/float64(yardstick)/units, "verifications/10KiB")
		})
	}
}

// Many signatures that are none in any form are no verdict; many good ones are.
func TestManyBadBLSSignaturesAreRefused(t *testing.T) {
	tried := 0
	for _, h := range hostiles(t) {
		if !strings.HasPrefix(h.name, "double votes, BLS") {
			continue
		}
		tried++
		good := strings.HasSuffix(h.name, "last form")
		reports, err := h.knows.Verify(h.files...)
		if err != nil || len(reports) != 10 || reports[9].Valid != good {
			t.Errorf("%s: %d reports, %v", h.name, len(reports), err)
		}
		reports, err = h.knows.Verify(h.files[0], h.files[0])
		if good && (err != nil || len(reports) != 20) || !good && (err == nil || !strings.Contains(err.Error(), "in several goes")) {
			t.Errorf("%s: %d reports, %v", h.name, len(reports), err)
		}
	}
	if tried != 2 {
		t.Errorf("%d cases", tried)
	}
}
