package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

var scenarios = filepath.Join("..", "..", "store", "ledger", "testdata", "scenarios")

// TestScenarioPage keeps the example of docs/scenarios.md true.
func TestScenarioPage(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "scenarios.md")
	const begin, end = "-run TestScenarioPage -update -->\n", "<!-- end -->"
	b, err := os.ReadFile(path)
	ok(t, err)
	page := string(b)
	head, rest, found := strings.Cut(page, begin)
	_, tail, ended := strings.Cut(rest, end)
	_, example, fenced := strings.Cut(head, "```json\n")
	example, _, closed := strings.Cut(example, "```\n")
	if !found || !ended || !fenced || !closed {
		t.Fatalf("%s has no example, or no place for its output", path)
	}
	file := filepath.Join(t.TempDir(), "scenario.json")
	ok(t, os.WriteFile(file, []byte(example), 0o600))
	result := decoded[ledger.ScenarioResult](t, done(t, "ledger", "run", file, "--json"))
	var step bytes.Buffer
	e := json.NewEncoder(&step)
	e.SetIndent("", "  ")
	ok(t, e.Encode(result.Steps[3]))
	want := head + begin + "```\n" + done(t, "ledger", "run", file) + "```\n\nWith `--json`, step 3 is:\n\n```json\n" + step.String() + "```\n" + end + tail
	if *update {
		ok(t, os.WriteFile(path, []byte(want), 0o644))
	} else if page != want {
		t.Errorf("%s is stale: run go test ./cmd/meshsec -run TestScenarioPage -update", path)
	}
}

func TestScenarioTables(t *testing.T) {
	for _, name := range []string{"life", "refused", "repeated"} {
		golden(t, "scenario-"+name+".golden", done(t, "ledger", "run", filepath.Join(scenarios, name+".json")))
	}
	empty := filepath.Join(t.TempDir(), "empty.json")
	ok(t, os.WriteFile(empty, []byte(`{"accounts":[]}`), 0o600))
	if out := done(t, "ledger", "run", empty); !strings.Contains(out, "no accounts") {
		t.Error(out)
	}
}

func TestScenarioResultIsTheLedgers(t *testing.T) {
	file := filepath.Join(scenarios, "life.json")
	b, err := os.ReadFile(file)
	ok(t, err)
	want, err := os.ReadFile(filepath.Join(scenarios, "life.golden"))
	ok(t, err)
	if out := done(t, "ledger", "run", file, "--json"); out != string(want) {
		t.Errorf("got %s", out)
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"ledger", "run", "-", "--json"}, bytes.NewReader(b), &out, &errOut); code != exitOK || out.String() != string(want) {
		t.Errorf("from standard input: exit code %d, %s\n%s", code, &errOut, &out)
	}
}

func TestScenarioFilesThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong.json")
	ok(t, os.WriteFile(wrong, []byte(`{"accounts":[],"steps":[{"pledge":{"account":"u","amount":-1}}]}`), 0o600))
	large := filepath.Join(dir, "large.json")
	ok(t, os.WriteFile(large, bytes.Repeat([]byte(" "), ledger.MaxScenario+2), 0o600))
	fails(t, exitFailed, []string{wrong + ": scenario: steps[0].pledge.amount: it is the number \"-1\""}, "ledger", "run", wrong)
	fails(t, exitFailed, []string{large + ": scenario: the file is larger than"}, "ledger", "run", large)
	fails(t, exitFailed, []string{"no such file"}, "ledger", "run", filepath.Join(dir, "missing.json"))
	fails(t, exitFailed, []string{"read scenario"}, "ledger", "run", dir)
	fails(t, exitFailed, []string{"-: scenario: line 1, column 1: not JSON"}, "ledger", "run", "-") // nothing there
	fails(t, exitUsage, []string{"FILE, a scenario in JSON or - for standard input, is missing; see meshsec ledger run --help"}, "ledger", "run")
	fails(t, exitUsage, []string{`unexpected argument "b"`}, "ledger", "run", "a", "b")
}
