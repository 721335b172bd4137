package ledger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

// scenarioWith is a scenario of one account, whose rest is text.
func scenarioWith(rest string) string {
	return `{"accounts":[{"id":"u","collateral":"200"}],` + rest + `}`
}

func manyAccountsAndSteps(accounts, steps int) string {
	var a []string
	for i := range accounts {
		a = append(a, fmt.Sprintf(`{"id":"%d","collateral":1}`, i))
	}
	list := strings.Repeat(`,{"slash":[]}`, steps)
	return `{"accounts":[` + strings.Join(a, ",") + `],"steps":[` + list[1:] + `]}`
}

func TestScenarioErrorsNameThePlace(t *testing.T) {
	pledge := func(rest string) string {
		return scenarioWith(`"steps":[{"slash":[]},{"pledge":{"account":"u","consumer":"h1",` + rest + `}}]`)
	}
	lien := func(rest string) string {
		return `{"accounts":[{"id":"u","collateral":1,"liens":[{"consumer":"h1",` + rest + `}]}]}`
	}
	tooMuch := "1461501637330902918203684832716283019655932542976" // 2^160
	for _, c := range []struct{ text, want string }{
		{``, "line 1, column 1: not JSON: unexpected end of JSON input"},
		{"{\n  \"accounts\": [,]}", "line 2, column 16: not JSON: invalid character ','"},
		{`{"accounts":[]} {}`, "line 1, column 17: not JSON: invalid character '{' after top-level value"},
		{"{\"accounts\":[],\"\xff\":1}", "not UTF-8"},
		{strings.Repeat("[", 20) + strings.Repeat("]", 20), "it is nested too deep"},
		{`[]`, "the file: it is a list, not an object"},
		{`null`, "the file: it is null, not an object"},
		{`{}`, "the file: accounts is missing"},
		{`{"accounts":[],"acounts":[]}`, "acounts: the key is unknown, want one of accounts, steps, unbonding_seconds"},
		{`{"accounts":[],"Steps":[]}`, "Steps: the key is unknown"},
		{`{"accounts":[],"a\nb":[]}`, `["a\nb"]: the key is unknown`},
		{`{"accounts":[],"` + strings.Repeat("a", 1000) + `":[]}`, `["` + strings.Repeat("a", 50) + `…"]: the key is unknown`},
		{`{"accounts":[],"accounts":[]}`, "accounts: the key is there twice"},
		{`{"accounts":{}}`, "accounts: it is an object, not a list"},
		{`{"accounts":[],"steps":null}`, "steps: it is null, not a list"},
		{`{"accounts":[],"unbonding_seconds":-1}`, `unbonding_seconds: it is the number "-1", not an integer from 0 to 3162240000`},
		{`{"accounts":[],"unbonding_seconds":"007"}`, `unbonding_seconds: it is the string "007", not an integer from 0 to 3162240000, in digits alone and without leading zeros`},
		{`{"accounts":[],"unbonding_seconds":1.5}`, `unbonding_seconds: it is the number "1.5"`},
		{`{"accounts":[{"id":"u"}]}`, "accounts[0]: collateral is missing"},
		{`{"accounts":[{"collateral":1}]}`, "accounts[0]: id is missing"},
		{`{"accounts":[{"id":7,"collateral":1}]}`, `accounts[0].id: it is the number "7", not a string`},
		{`{"accounts":[{"id":"","collateral":1}]}`, "accounts[0].id: the name \"\" does not have 1 to 50 printable characters"},
		{`{"accounts":[{"id":"` + strings.Repeat("é", 51) + `","collateral":1}]}`, "accounts[0].id: the name"},
		{`{"accounts":[{"id":"a\u0007","collateral":1}]}`, "accounts[0].id: the name"},
		{`{"accounts":[{"id":"u","collateral":1},{"id":"u","collateral":1}]}`, `accounts[1]: there is another account "u"`},
		{`{"accounts":[{"id":"u","collateral":"-1"}]}`, `accounts[0].collateral: it is the string "-1", not an integer from 0 to`},
		{`{"accounts":[{"id":"u","collateral":-1}]}`, `accounts[0].collateral: it is the number "-1"`},
		{`{"accounts":[{"id":"u","collateral":1.0}]}`, `accounts[0].collateral: it is the number "1.0"`},
		{`{"accounts":[{"id":"u","collateral":1e3}]}`, `accounts[0].collateral: it is the number "1e3"`},
		{`{"accounts":[{"id":"u","collateral":"0x10"}]}`, `accounts[0].collateral: it is the string "0x10"`},
		{`{"accounts":[{"id":"u","collateral":""}]}`, `accounts[0].collateral: it is the string ""`},
		{`{"accounts":[{"id":"u","collateral":"007"}]}`, `accounts[0].collateral: it is the string "007", not an integer from 0 to 1461501637330902918203684832716283019655932542975, in digits alone and without leading zeros`},
		{`{"accounts":[{"id":"u","collateral":true}]}`, `accounts[0].collateral: it is true, not an integer`},
		{`{"accounts":[{"id":"u","collateral":"` + tooMuch + `"}]}`, "accounts[0].collateral: it is the string"},
		{`{"accounts":[{"id":"u","collateral":"1461501637330902918203684832716283019655932542975"},{"id":"w","collateral":"1"}]}`,
			"accounts[1]: with it the accounts hold more than 1461501637330902918203684832716283019655932542975"},
		{lien(`"ratio":"0.1"},{"consumer":"h1","ratio":"0.2"`), `accounts[0].liens[1]: there is another lien to "h1"`},
		{lien(`"stakes":{}`), "accounts[0].liens[0]: ratio is missing"},
		{lien(`"ratio":"0"`), `accounts[0].liens[0].ratio: it is the string "0", not a share above 0 and at most 1`},
		{lien(`"ratio":"1.000000000000000001"`), "accounts[0].liens[0].ratio: it is"},
		{lien(`"ratio":"0.0000000000000000001"`), "accounts[0].liens[0].ratio: it is"},
		{lien(`"ratio":"-0.1"`), "accounts[0].liens[0].ratio: it is"},
		{lien(`"ratio":"00.5"`), `accounts[0].liens[0].ratio: it is the string "00.5", not a share`},
		{lien(`"ratio":"0.1%"`), "accounts[0].liens[0].ratio: it is"},
		{lien(`"ratio":"1e-3"`), "accounts[0].liens[0].ratio: it is"},
		{lien(`"ratio":0.1`), `accounts[0].liens[0].ratio: it is the number "0.1", not a string`},
		{lien(`"ratio":"0.1","stakes":[]`), "accounts[0].liens[0].stakes: it is a list, not an object"},
		{lien(`"ratio":"0.1","stakes":{"v1":"1","v1":"2"}`), "accounts[0].liens[0].stakes.v1: the key is there twice"},
		{lien(`"ratio":"0.1","stakes":{"v 1":"x"}`), `accounts[0].liens[0].stakes["v 1"]: it is the string "x"`},
		{lien(`"ratio":"0.1","stakes":{"":"1"}`), `accounts[0].liens[0].stakes[""]: the name ""`},
		{lien(`"ratio":"0.1","backstop":"-0"`), "accounts[0].liens[0].backstop: it is"},
		{`{"accounts":[{"id":"u","collateral":1,"liens":[{"consumer":"h/1","ratio":"0.1"}]}]}`, `accounts[0].liens[0].consumer: it is the string "h/1", a chain's id has`},
		{scenarioWith(`"steps":[{}]`), "steps[0]: it has 0 actions, a step has one"},
		{scenarioWith(`"steps":[{"slash":[],"advance":{"seconds":1}}]`), "steps[0]: it has 2 actions, a step has one"},
		{scenarioWith(`"steps":[{"burn":{}}]`), "steps[0].burn: the key is unknown, want one of slash,"},
		{scenarioWith(`"steps":[{"slash":[{"consumer":"h1","validator":"v1"}]}]`), "steps[0].slash[0]: ratio is missing"},
		{scenarioWith(`"steps":[{"slash":{"consumer":"h1","ratio":"1"}}]`), "steps[0].slash: validator is missing, or backstop: true"},
		{scenarioWith(`"steps":[{"slash":{"consumer":"h1","ratio":"1","backstop":true,"validator":"v1"}}]`), "steps[0].slash: it names both"},
		{scenarioWith(`"steps":[{"slash":{"consumer":"h1","ratio":"1","backstop":"yes"}}]`), `steps[0].slash.backstop: it is the string "yes", not true or false`},
		{scenarioWith(`"steps":[{"slash":"v1"}]`), `steps[0].slash: it is the string "v1", not an object`},
		{scenarioWith(`"steps":[{"advance":{"seconds":"soon"}}]`), `steps[0].advance.seconds: it is the string "soon"`},
		{scenarioWith(`"steps":[{"advance":{"seconds":99999999999}}]`), "steps[0].advance.seconds: it is"},
		{scenarioWith(`"steps":[{"deposit":{"account":"u"}}]`), "steps[0].deposit: amount is missing"},
		{scenarioWith(`"steps":[{"withdraw":{"account":"u","amount":"1","consumer":"h1"}}]`), "steps[0].withdraw.consumer: the key is unknown, want one of account, amount"},
		{pledge(`"validator":"v1","amount":"1.5","ratio":"1"`), `steps[1].pledge.amount: it is the string "1.5", not an integer`},
		{pledge(`"validator":"v1","amount":"1"`), "steps[1].pledge: ratio is missing"},
		{pledge(`"validator":"v1","amount":"1","ratio":"2"`), "steps[1].pledge.ratio: it is"},
		{pledge(`"amount":"1","ratio":"1"`), "steps[1].pledge: validator is missing"},
		{scenarioWith(`"steps":[{"release":{"account":"u","consumer":"h1","validator":"v1","amount":"1","ratio":"1"}}]`), "steps[0].release.ratio: the key is unknown"},
		{strings.Repeat(" ", ledger.MaxScenario+1), "the file is larger than 1048576 bytes"},
		{manyAccountsAndSteps(1100, 1000), "the file: it has 1000 steps for 1100 accounts, more than can be shown: split it"},
	} {
		s, err := ledger.ParseScenario([]byte(c.text))
		switch {
		case err == nil || s != nil:
			t.Errorf("%.200s: taken", c.text)
		case !strings.HasPrefix(err.Error(), "scenario: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%.200s: %v\nwant %s", c.text, err, c.want)
		}
	}
}

// What the format allows: numbers for amounts, false for the backstop, names in any
// script, trailing zeros of a ratio, and no steps.
func TestScenarioFormsThatMeanTheSame(t *testing.T) {
	strict := `{"accounts":[{"id":"Zoë","collateral":"200","liens":[{"consumer":"h1","ratio":"0.1","stakes":{"v1":"100"},"backstop":"50"}]}],
		"steps":[{"slash":[{"consumer":"h1","validator":"v1","ratio":"0.1"}]},{"advance":{"seconds":60}}]}`
	loose := `{"unbonding_seconds":60,"accounts":[{"liens":[{"backstop":50,"ratio":"0.10","stakes":{"v1":100},"consumer":"h1"}],"collateral":200,"id":"Zo\u00eb"}],
		"steps":[{"slash":{"backstop":false,"ratio":"0.100","validator":"v1","consumer":"h1"}},{"advance":{"seconds":"60"}}]}`
	a, err := json.Marshal(runScenario(t, []byte(strict)))
	must(t, err)
	b, err := json.Marshal(runScenario(t, []byte(loose)))
	must(t, err)
	if string(a) != string(b) {
		t.Errorf("%s\n%s", a, b)
	}
	if n := len(runScenario(t, []byte(`{"accounts":[]}`)).Steps); n != 1 {
		t.Errorf("%d steps without any", n)
	}
}
