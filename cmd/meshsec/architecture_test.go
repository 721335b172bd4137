package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/meshsec/meshsec/"

// rooms are all packages, lowest first: a room imports only rooms above it in
// this list. A package that is not listed fails the test, so that whoever adds
// one says where it belongs.
var rooms = []string{
	"bls",
	"attest/comet",
	"attest/ethereum",
	"attest",
	"attest/evidence",
	"store/trie",
	"store/ledger",
	"store/ledger/ledgertest",
	"store/ledger/ledgertest/twin",
	"store/guard",
	"store",
	"p2p",
	"node/chain",
	"node/chain/comet",
	"node/chain/devchain",
	"node/api",
	"node",
	"testnet",
	"cmd/meshsec",
}

// pure rooms know no network, disk, clock, goroutine or other process.
var pure = []string{"bls", "attest/comet", "attest/ethereum", "attest", "attest/evidence", "store/trie", "store/ledger"}

// impure is what a pure room must not import.
var impure = []string{
	"net", "os", "io/fs", "sync/atomic", "syscall", "context", "math/rand", "math/rand/v2",
	"github.com/libp2p", "github.com/dgraph-io", "github.com/cometbft", "github.com/spf13", "github.com/prometheus",
}

// clock is what of package time a pure room must not call.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// topLevel is everything that the repository's root may hold.
var topLevel = []string{
	".ci", ".dockerignore", ".git", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md",
	"attest", "bls", "bin", "cmd", "docs", "go.mod", "go.sum", "node", "p2p", "store", "testnet",
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTopLevelHoldsTheRoomsAndNothingElse(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong into the root of the repository", e.Name())
		}
	}
}

func TestArrowsPointDown(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(room, path string, file *ast.File) {
		seen[room] = true
		rank := slices.Index(rooms, room)
		if rank < 0 {
			t.Fatalf("%s: package %s is not in the list of rooms", path, room)
		}
		for _, imported := range imports(t, file) {
			target, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if to := slices.Index(rooms, target); to < 0 || to >= rank {
				t.Errorf("%s: %s must not import %s", path, room, target)
			}
			if target == "store/ledger/ledgertest" {
				t.Errorf("%s: ledgertest is for tests only", path)
			}
		}
	})
	for _, room := range rooms {
		if !seen[room] {
			t.Errorf("the room %s is listed and does not exist", room)
		}
	}
}

func TestPureRoomsStayPure(t *testing.T) {
	eachFile(t, func(room, path string, file *ast.File) {
		if !slices.Contains(pure, room) {
			return
		}
		for _, imported := range imports(t, file) {
			for _, bad := range impure {
				if imported == bad || strings.HasPrefix(imported, bad+"/") {
					t.Errorf("%s: a pure room must not import %s", path, imported)
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a pure room starts no goroutine", path)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && x.Obj == nil && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s: a pure room has no clock: time.%s", path, n.Sel.Name)
				}
			}
			return true
		})
	})
}

// A blank line ends a table: what follows is shown as bars and words. And <what> looks like
// this outside of code is taken for a tag, and not shown at all.
func TestTablesOfTheDocumentationAreShownWhole(t *testing.T) {
	code, placeholder := regexp.MustCompile("`[^`]*`"), regexp.MustCompile("<[a-z]+>")
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := append(strings.Split(string(text), "\n"), "")
		for i, line := range lines[:len(lines)-1] {
			begins := strings.HasPrefix(line, "|") && (i == 0 || !strings.HasPrefix(lines[i-1], "|"))
			if begins && !strings.HasPrefix(lines[i+1], "|-") {
				t.Errorf("%s:%d: a row without a table", filepath.Base(page), i+1)
			}
			if tag := placeholder.FindString(code.ReplaceAllString(line, "")); strings.HasPrefix(line, "|") && tag != "" {
				t.Errorf("%s:%d: %s is not shown", filepath.Base(page), i+1, tag)
			}
		}
	}
}

// eachFile visits every Go file of the module that is not a test.
func eachFile(t *testing.T, visit func(room, path string, file *ast.File)) {
	t.Helper()
	base := root(t)
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != base && strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(rel)), rel, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imports(t *testing.T, file *ast.File) []string {
	t.Helper()
	var out []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, path)
	}
	return out
}
