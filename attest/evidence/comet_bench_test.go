package evidence_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest/evidence"
)

// BenchmarkCometDoubleVote is one piece of evidence, from JSON to report.
func BenchmarkCometDoubleVote(b *testing.B) {
	file, header := vector(b, "cometbft", "ics_double_vote_evidence.json"), vector(b, "cometbft", "ics_infraction_header.json")
	bench(b, evidence.Comet{ChainID: "consumer", Keys: [][]byte{header}}, file)
}

// BenchmarkCometBlock is a block of a main network with its transactions.
func BenchmarkCometBlock(b *testing.B) {
	bench(b, evidence.Comet{Keys: [][]byte{[]byte(osmosisKey)}}, vector(b, "cometbft", "osmosis-1_block_15317185.json"))
}

// BenchmarkCometAttack is a light client attack in which a hundred validators signed
// both blocks.
func BenchmarkCometAttack(b *testing.B) {
	powers, all := make([]int64, 100), make([]int, 100)
	for i := range powers {
		powers[i], all[i] = int64(i+1), i
	}
	c := newCast(powers...)
	bench(b, evidence.Comet{}, mustJSON(b, c.lightBlock(b, 10, 0, all, unchanged)), mustJSON(b, c.lightBlock(b, 10, 0, all, otherData)))
}

func bench(b *testing.B, knows evidence.Comet, files ...[]byte) {
	size := 0
	for _, f := range files {
		size += len(f)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if r := one(b, knows, files...); !r.Valid {
			b.Fatal(r.Failed)
		}
	}
}
