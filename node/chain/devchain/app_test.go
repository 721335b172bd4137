package devchain

import (
	"testing"

	"pgregory.net/rapid"
)

func TestStateFileIsWholeOrNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := appState{}.extend(rapid.Uint64().Draw(t, "height"), [][]byte{rapid.SliceOf(rapid.Byte()).Draw(t, "tx")})
		data := state.encode()
		if got, ok := decodeAppState(data); !ok || got != state {
			t.Fatalf("%v comes back as %v, %v", state, got, ok)
		}
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if _, ok := decodeAppState(data[:cut]); ok {
			t.Fatal("a short file is accepted")
		}
		data[cut] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, ok := decodeAppState(data); ok {
			t.Fatal("a flipped bit is accepted")
		}
	})
}

func TestHashChainTellsBlocksApart(t *testing.T) {
	block := func(txs ...string) (out [][]byte) {
		for _, tx := range txs {
			out = append(out, []byte(tx))
		}
		return out
	}
	seen := map[appState]string{}
	for name, s := range map[string]appState{
		"empty":       appState{}.extend(1, nil),
		"next height": appState{}.extend(2, nil),
		"two blocks":  appState{}.extend(1, nil).extend(2, nil),
		"a, b":        appState{}.extend(1, block("a", "b")),
		"b, a":        appState{}.extend(1, block("b", "a")),
		"ab":          appState{}.extend(1, block("ab")),
		"empty tx":    appState{}.extend(1, block("")),
	} {
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q lead to the same state", name, other)
		}
		seen[s] = name
	}
}

func FuzzDecodeAppState(f *testing.F) {
	f.Add(appState{}.extend(7, nil).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, ok := decodeAppState(data); ok && string(s.encode()) != string(data) {
			t.Fatalf("%x is not the canonical form of %v", data, s)
		}
	})
}
