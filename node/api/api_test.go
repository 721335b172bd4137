package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// book is a node with two chains' worth of answers written down.
type book struct {
	status    api.Status
	ledgers   map[string]api.Ledger
	faults    []api.Fault
	submitted [][]byte
}

func (b *book) Status() api.Status { return b.status }

func (b *book) Ledger(_ context.Context, chain string) (api.Ledger, error) {
	l, ok := b.ledgers[chain]
	if !ok {
		return l, fmt.Errorf("chain %q: %w", chain, api.ErrNotFound)
	}
	return l, nil
}

func (b *book) Checkpoint(_ context.Context, chain string, epoch uint64) (api.Checkpoint, error) {
	if epoch > b.ledgers[chain].Epoch {
		return api.Checkpoint{}, fmt.Errorf("no certificate yet: %w", api.ErrNotFound)
	}
	return api.Checkpoint{Chain: chain, Epoch: epoch, SignedPower: ledger.Units(7)}, nil
}

func (b *book) Record(_ context.Context, chain, key string, epoch uint64) (api.Record, error) {
	if _, err := ledger.ParseKey(key); err != nil {
		return api.Record{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return api.Record{Chain: chain, Epoch: epoch, ProofRecord: ledger.ProofRecord{Name: key, Present: true, Value: []byte{1}}}, nil
}

func (b *book) Certificates(_ context.Context, _ string, from uint64, limit int) (api.Trail, error) {
	return api.Trail{Links: ledger.Trail{{Certificate: []byte{byte(from), byte(limit)}}}}, nil
}

func (b *book) Certificate(_ context.Context, chain string, epoch uint64) (api.Certificate, error) {
	if epoch > b.ledgers[chain].Epoch {
		return api.Certificate{}, fmt.Errorf("no certificate yet: %w", api.ErrNotFound)
	}
	return api.Certificate{Certificate: []byte{byte(epoch)}, Set: []byte(chain), Next: []byte{1, 2}}, nil
}

func (b *book) Faults(_ context.Context, from uint64, limit int) ([]api.Fault, error) {
	rest := b.faults[min(from, uint64(len(b.faults))):]
	return rest[:min(limit, len(rest))], nil
}

func (b *book) Fault(_ context.Context, id [32]byte) (api.Fault, error) {
	for _, f := range b.faults {
		if string(f.ID) == string(id[:]) {
			return f, nil
		}
	}
	return api.Fault{}, api.ErrNotFound
}

func (b *book) Conviction(_ context.Context, chain string, id [32]byte) (ledger.ConvictionView, error) {
	if _, ok := b.ledgers[chain]; !ok {
		return ledger.ConvictionView{}, fmt.Errorf("chain %q: %w", chain, api.ErrNotFound)
	}
	return ledger.ConvictionView{FaultView: ledger.FaultView{ID: id[:], Recorded: 7}, Ledger: chain}, nil
}

func (b *book) Report(_ context.Context, proof *attest.FaultProof, reporter ledger.AccountID) (api.Report, error) {
	id := proof.ID()
	return api.Report{ID: id[:], Reporter: reporter, Reason: "it is recorded already"}, nil
}

func (b *book) Submit(_ context.Context, op []byte) (id [32]byte, _ error) {
	if op[0] == 0xff {
		return id, fmt.Errorf("home chain: %w", api.ErrUnavailable)
	}
	b.submitted = append(b.submitted, op)
	id[0] = op[0]
	return id, nil
}

func (b *book) Receipt(_ context.Context, id [32]byte) (api.Receipt, error) {
	if id[0] == 0 {
		return api.Receipt{}, errors.New("disk on fire")
	}
	return api.Receipt{ID: id[:], OK: true, Height: 9}, nil
}

func serve(t *testing.T, b *book) (*api.Client, string) {
	t.Helper()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	s := httptest.NewServer(api.Handler(b, metrics, slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return api.NewClient(s.URL+"/", s.Client()), s.URL
}

func fault(n byte) api.Fault {
	id := make([]byte, 32)
	id[0] = n
	return api.Fault{ID: id, Kind: "double_vote", Proof: []byte{n}, Frozen: map[string]uint64{"a": 1}, Executed: map[string]uint64{}}
}

func TestClientGetsWhatTheBackendSays(t *testing.T) {
	b := &book{
		status:  api.Status{Name: "n0", Ready: true, Ledgers: map[string]api.LedgerSummary{"a": {Epoch: 3, LedgerRoot: []byte{1}, Certificate: []byte{2}}}, Network: "00"},
		ledgers: map[string]api.Ledger{"a": {Chain: "a", Epoch: 3, Root: []byte{1, 2}, Totals: ledger.Totals{Deposited: ledger.Units(5)}}},
		faults:  []api.Fault{fault(1), fault(2), fault(3)},
	}
	c, _ := serve(t, b)
	ctx := t.Context()
	if got, err := c.Status(ctx); err != nil || !reflect.DeepEqual(got, b.status) {
		t.Errorf("status = %+v, %v; want %+v", got, err, b.status)
	}
	if got, err := c.Ledger(ctx, "a"); err != nil || got.Epoch != 3 || got.Totals.Deposited != ledger.Units(5) {
		t.Errorf("ledger = %+v, %v", got, err)
	}
	if got, err := c.Checkpoint(ctx, "a", 2); err != nil || got.Epoch != 2 || got.SignedPower != ledger.Units(7) {
		t.Errorf("checkpoint = %+v, %v", got, err)
	}
	if got, err := c.Record(ctx, "a", "account/x&epoch=9", 2); err == nil || !errors.Is(err, api.ErrInvalid) {
		t.Errorf("a bad key = %+v, %v", got, err)
	}
	if got, err := c.Record(ctx, "a", "set/7", 2); err != nil || got.Epoch != 2 || got.Name != "set/7" || !got.Present || len(got.Value) != 1 {
		t.Errorf("record = %+v, %v", got, err)
	}
	if got, err := c.Certificates(ctx, "a", 7, 1000); err != nil || len(got.Links) != 1 || string(got.Links[0].Certificate) != string([]byte{7, api.MaxLinks}) {
		t.Errorf("certificates = %+v, %v", got, err)
	}
	if got, err := c.Certificate(ctx, "a", 2); err != nil || got.Certificate[0] != 2 || string(got.Set) != "a" || len(got.Next) != 2 {
		t.Errorf("certificate = %+v, %v", got, err)
	}
	if got, err := c.Faults(ctx, 0, 2); err != nil || len(got) != 2 {
		t.Errorf("faults = %+v, %v", got, err)
	}
	if got, err := c.Faults(ctx, 2, 10); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], b.faults[2]) {
		t.Errorf("faults after the second = %+v, %v", got, err)
	}
	if got, err := c.Fault(ctx, [32]byte{2}); err != nil || !reflect.DeepEqual(got, b.faults[1]) {
		t.Errorf("fault = %+v, %v", got, err)
	}
	if got, err := c.Conviction(ctx, "a", [32]byte{2}); err != nil || got.Ledger != "a" || got.Recorded != 7 || got.ID[0] != 2 {
		t.Errorf("conviction = %+v, %v", got, err)
	}
	proof, who := &attest.FaultProof{Kind: 1, Body: []byte{1, 2, 3}}, ledger.AccountID{5}
	if got, err := c.Report(ctx, proof, who); err != nil || [32]byte(got.ID) != proof.ID() || got.Reporter != who || got.Reason == "" {
		t.Errorf("report = %+v, %v", got, err)
	}
	if id, err := c.Submit(ctx, []byte{8, 9}); err != nil || id != [32]byte{8} || len(b.submitted) != 1 {
		t.Errorf("submit = %x, %v", id, err)
	}
	if got, err := c.Receipt(ctx, [32]byte{8}); err != nil || !got.OK || got.Height != 9 {
		t.Errorf("receipt = %+v, %v", got, err)
	}
	if got, err := c.Metrics(ctx); err != nil || string(got) != "up 1\n" {
		t.Errorf("metrics = %q, %v", got, err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
}

func TestRefusalsKeepTheirKindAcrossTheWire(t *testing.T) {
	b := &book{status: api.Status{Reason: "beta is 4 epochs behind"}, ledgers: map[string]api.Ledger{}}
	c, _ := serve(t, b)
	ctx := t.Context()
	_, noChain := c.Ledger(ctx, "nope")
	_, noCertificate := c.Certificate(ctx, "nope", 1)
	_, noFault := c.Fault(ctx, [32]byte{9})
	_, empty := c.Submit(ctx, nil)
	_, down := c.Submit(ctx, []byte{0xff})
	ready := c.Ready(ctx)
	for _, tc := range []struct {
		name     string
		err, is  error
		contains string
	}{
		{"unknown chain", noChain, api.ErrNotFound, `"nope"`},
		{"unknown certificate", noCertificate, api.ErrNotFound, "no certificate yet"},
		{"unknown fault", noFault, api.ErrNotFound, ""},
		{"empty operation", empty, api.ErrInvalid, "empty"},
		{"home chain down", down, api.ErrUnavailable, "home chain"},
		{"not ready", ready, api.ErrUnavailable, "4 epochs behind"},
	} {
		if !errors.Is(tc.err, tc.is) || !strings.Contains(tc.err.Error(), tc.contains) {
			t.Errorf("%s: %v, want %v with %q", tc.name, tc.err, tc.is, tc.contains)
		}
	}
	_, internal := c.Receipt(ctx, [32]byte{})
	var se *api.StatusError
	if !errors.As(internal, &se) || se.Code != http.StatusInternalServerError {
		t.Errorf("internal error = %v", internal)
	}
}

// A URL that leads to another server is more likely than a node without that page.
func TestAnotherServerIsNoNode(t *testing.T) {
	for code, want := range map[int]string{
		404: "/v1/status answered 404 Not Found: is it the API of a meshsec node?",
		502: "/v1/status answered 502 Bad Gateway", // a proxy before one
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "something else", code) }))
		_, err := api.NewClient(s.URL, s.Client()).Status(t.Context())
		if err == nil || err.Error() != s.URL+want {
			t.Errorf("%v, want %s", err, want)
		}
		s.Close()
	}
}

func TestBadRequestsAreProblems(t *testing.T) {
	_, base := serve(t, &book{ledgers: map[string]api.Ledger{}})
	for _, tc := range []struct {
		method, path, body string
		code               int
	}{
		{"GET", "/nowhere", "", 404},
		{"GET", "/v1/ledgers/a/checkpoints/x", "", 400},
		{"GET", "/v1/ledgers/a/records?key=meta&epoch=x", "", 400},
		{"GET", "/v1/ledgers/a/records", "", 400},
		{"GET", "/v1/ledgers/a/certificates?from=-1", "", 400},
		{"GET", "/v1/ledgers/a/certificates/-1", "", 400},
		{"GET", "/v1/faults/12", "", 400},
		{"GET", "/v1/faults?limit=0", "", 400},
		{"GET", "/v1/faults?from=zz", "", 400},
		{"GET", "/v1/ledgers/a/faults/12", "", 400},
		{"POST", "/v1/faults", `{"proof":"00"}`, 400},
		{"POST", "/v1/faults", `{"proof":"01","reporter":"12"}`, 400},
		{"POST", "/v1/operations", `{"operation":"zz"}`, 400},
		{"POST", "/v1/operations", `{"surprise":1}`, 400},
		{"POST", "/v1/operations", `{"operation":"` + strings.Repeat("0", api.MaxRequest) + `"}`, 413},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, base+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != tc.code || !strings.Contains(string(body), `"error"`) {
			t.Errorf("%s %s = %d %.200s, want %d and a problem", tc.method, tc.path, res.StatusCode, body, tc.code)
		}
	}
}
