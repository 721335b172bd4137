package bls_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/bls"
)

func TestDerivationVectors(t *testing.T) {
	var v struct {
		Tests []struct {
			Seed       hexBytes    `json:"seed"`
			Master     json.Number `json:"master_SK"`
			ChildIndex uint32      `json:"child_index"`
			Child      json.Number `json:"child_SK"`
		} `json:"kdf_tests"`
	}
	readJSON(t, filepath.Join(vectorsFolder(t, "keystores"), "eip2333_tree_kdf.json"), &v)
	if len(v.Tests) == 0 {
		t.Fatal("the file holds no vectors")
	}
	for i, c := range v.Tests {
		master, err := bls.DeriveMaster(c.Seed)
		if err != nil {
			t.Fatal(err)
		}
		if got := decimalOf(master); got != c.Master.String() {
			t.Errorf("%d: master %s, want %s", i, got, c.Master)
		}
		if got := decimalOf(master.DeriveChild(c.ChildIndex)); got != c.Child.String() {
			t.Errorf("%d: child %s, want %s", i, got, c.Child)
		}
	}
}

func decimalOf(key bls.SecretKey) string {
	b := key.Bytes()
	return new(big.Int).SetBytes(b[:]).String()
}

func TestPathsAreWalkedFromTheMaster(t *testing.T) {
	seed := make([]byte, 32)
	master, err := bls.DeriveMaster(seed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bls.DerivePath(seed, "m/12381/3600/7/0")
	if err != nil {
		t.Fatal(err)
	}
	if want := master.DeriveChild(12381).DeriveChild(3600).DeriveChild(7).DeriveChild(0); got.Bytes() != want.Bytes() {
		t.Error("not the key at the end of the path")
	}
	if root, err := bls.DerivePath(seed, "m"); err != nil || root.Bytes() != master.Bytes() {
		t.Errorf("m is not the master: %v", err)
	}
	for _, size := range []int{0, 31} {
		if _, err := bls.DerivePath(make([]byte, size), "m/0"); !errors.Is(err, bls.ErrSeed) {
			t.Errorf("seed of %d bytes: %v", size, err)
		}
	}
}

func TestPathSyntax(t *testing.T) {
	got, err := bls.ParsePath("m/12381/4294967295/0")
	if want := []uint32{12381, 4294967295, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, path := range []string{"", "/", "M/0", "0/1", "m/", "m//0", "m/00", "m/01", "m/+1", "m/-1", "m/4294967296", "m/1'", "m/1/", " m/1", "m/1 ", "m/0x1", "m/1_0"} {
		if _, err := bls.ParsePath(path); !errors.Is(err, bls.ErrPath) {
			t.Errorf("%q: %v", path, err)
		}
		if _, err := bls.DerivePath(make([]byte, 32), path); !errors.Is(err, bls.ErrPath) {
			t.Errorf("derive %q: %v", path, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("m/12381/3600/0/0/0")
	f.Add("m/01")
	f.Fuzz(func(t *testing.T, path string) {
		indices, err := bls.ParsePath(path)
		if err != nil {
			return
		}
		if again := formatPath(indices); again != path {
			t.Fatalf("%q also has the form %q", path, again)
		}
	})
}

func TestEveryIndexHasAPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Uint32()).Draw(t, "indices")
		if got, err := bls.ParsePath(formatPath(want)); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v", got, err)
		}
	})
}

func formatPath(indices []uint32) string {
	path := "m"
	for _, i := range indices {
		path += "/" + new(big.Int).SetUint64(uint64(i)).String()
	}
	return path
}
