package evidence_test

import (
	"os"
	"path/filepath"
	"testing"
)

// vectors finds inputs that nobody here wrote; without them the test is skipped,
// loudly.
func vectors(t testing.TB, name ...string) string {
	t.Helper()
	root := os.Getenv("MESHSEC_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: no third-party vectors: %v; set MESHSEC_VECTORS to their folder", err)
	}
	return path
}

func vector(t testing.TB, name ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(vectors(t, name...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
