package attest_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/meshsec/meshsec/attest"
)

func TestRuleTableIsComplete(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := make(map[string]bool)
	rules := attest.Rules()
	for i, r := range rules {
		if r.Rule != attest.Rule(i+1) {
			t.Errorf("line %d is about rule %d", i, r.Rule)
		}
		if !name.MatchString(r.Name) || seen[r.Name] || r.Why == "" {
			t.Errorf("rule %d: bad or repeated name %q, or no explanation", r.Rule, r.Name)
		}
		seen[r.Name] = true
		if r.Rule.String() != r.Name || r.Rule.Error() != r.Name || r.Rule.Why() != r.Why || r.Rule.Hard() != r.Hard {
			t.Errorf("rule %s does not agree with its line", r.Name)
		}
	}
	if last := rules[len(rules)-1].Rule; last != attest.RuleUnsupported {
		t.Errorf("the table ends with %s", last)
	}
	if rules[0].Name = "changed"; attest.RuleSize.String() != "size" {
		t.Error("a caller can change the table")
	}
	if beyond := attest.Rule(len(rules) + 1); beyond.Hard() {
		t.Error("an unknown rule punishes")
	}
}

func TestErrorIsFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("verify vote: %w", &attest.Error{Rule: attest.RuleAhead, Detail: "epoch 7"})
	var e *attest.Error
	if !errors.As(err, &e) || e.Hard() || e.Detail != "epoch 7" {
		t.Errorf("got %v", e)
	}
	if !errors.Is(err, attest.RuleAhead) || errors.Is(err, attest.RuleOld) {
		t.Error("errors.Is does not tell rules apart")
	}
}
