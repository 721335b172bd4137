package ledger_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// hostileState is a state that no ledger comes to, and the step of the end of an epoch
// that has to run on it.
type hostileState struct {
	phase   uint8
	records map[string][]byte
}

func hostileStates(t *testing.T) map[string]hostileState {
	t.Helper()
	encode := func(r interface{ MarshalSSZ() ([]byte, error) }) []byte {
		b, err := r.MarshalSSZ()
		must(t, err)
		return b
	}
	number := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	item := func(list string, i uint64) string { return string(binary.BigEndian.AppendUint64([]byte(list+"/"), i)) }
	params := ledgertest.Params()
	params.ChallengeWindow = ledger.Window{}
	state := func(phase uint8, records map[string][]byte) hostileState {
		records["params"], records["meta"] = encode(&params), encode(new(ledger.Meta))
		return hostileState{phase, records}
	}
	account := ledger.AccountID{7}
	liens, offender := "liens/beta/"+string(account[:]), "offender/beta/"+string(account[:])
	// slashed has an execution under way behind an offender.
	slashed := func(penalties int, lien []byte, records map[string][]byte) hostileState {
		e := &ledger.Execution{Chain: []byte("beta"), Account: account, Penalties: make([]ledger.Fraction, penalties)}
		records[item("queue", 0)], records["queue"] = encode(e), number(1)
		records[offender] = encode(&ledger.Offender{Offences: []*ledger.Offence{{}}, Since: 9})
		records[item(liens, 0)], records[liens] = lien, number(1)
		return state(ledger.EndSlashes, records)
	}
	// owner is an account with such amounts behind the offender.
	owner := func(ratio uint64, collateral *uint256.Int, amounts ...*uint256.Int) map[string][]byte {
		l := &ledger.Lien{Ratio: ratio}
		for i, a := range amounts {
			l.Parts = append(l.Parts, ledger.Part{Validator: ledger.AccountID{7, byte(i)}, Bonded: ledger.NewAmount(a)})
		}
		return map[string][]byte{
			"account/" + string(account[:]):        encode(&ledger.Account{Collateral: ledger.NewAmount(collateral), Consumers: []ledger.Name{{ID: []byte("beta")}}}),
			"lien/" + string(account[:]) + "/beta": encode(l),
		}
	}
	most := new(uint256.Int).SetAllOne()
	half := new(uint256.Int).Lsh(uint256.NewInt(1), 255)
	return map[string]hostileState{
		"a list longer than memory":          state(ledger.EndElect, map[string][]byte{"validators": number(1 << 62)}),
		"a list of 64 GiB":                   state(ledger.EndElect, map[string][]byte{"validators": number(1 << 31)}),
		"offenders without end":              slashed(0, account[:], map[string][]byte{"offenders/beta": number(1 << 62)}),
		"an account that is none":            slashed(1, []byte{1}, map[string][]byte{}),
		"a penalty without an offence":       slashed(2, account[:], owner(ledger.One, uint256.NewInt(5), uint256.NewInt(1))),
		"amounts whose sum exceeds 256 bits": slashed(1, account[:], owner(ledger.One, uint256.NewInt(5), half, half, uint256.NewInt(9))),
		"a cut of more than 255 bits":        slashed(1, account[:], owner(1, half, most)),
	}
}

// TestAStateThatNoLedgerComesToIsNoVerdict: two thirds of a peer certify what they like.
// Whatever state they show, its proof is judged by every node while it executes an epoch:
// it must neither stop nor feed on them.
func TestAStateThatNoLedgerComesToIsNoVerdict(t *testing.T) {
	m := play(t, 2, 4, nil)
	round(t, m)
	law, set := m.Manifest.Law(), m.Set("beta", 2)
	for name, s := range hostileStates(t) {
		t.Run(name, func(t *testing.T) {
			tree := trie.New(trie.NewStore(), trie.Ref{})
			for _, k := range slices.Sorted(maps.Keys(s.records)) {
				must(t, tree.Set([]byte(k), s.records[k]))
			}
			w, err := tree.Record(func(t *trie.Tree) error {
				for k := range s.records {
					if _, _, err := t.Get([]byte(k)); err != nil {
						return err
					}
				}
				return nil
			})
			must(t, err)
			at := 0
			l, err := m.Lie("beta", func(t *ledger.Transcript, _ *attest.Checkpoint) {
				at = slices.IndexFunc(t.Steps, func(step *ledger.Step) bool { return step.Phase == s.phase })
				t.Steps[at-1].Root = tree.Root()
			})
			must(t, err)
			b := &ledger.Breach{Rule: ledger.BreachStep, Excerpt: attest.NewExcerpt(l.Transcript.Steps, at-1, 2)}
			b.Nodes, err = w.MarshalBinary()
			must(t, err)
			body := opened(t, l.Proof)
			body.Evidence = encodeBreach(t, b)
			encoded, err := body.MarshalSSZ()
			must(t, err)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = attest.VerifyFault(law, set, &attest.FaultProof{Kind: uint8(attest.FaultInvalidTransition), Body: encoded})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, attest.RuleTransition) {
				t.Errorf("%v", err)
			}
			t.Log(err)
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d bytes allocated", used)
			}
		})
	}
}
