package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/cli.md")

// fakeNode is a node of chain alpha behind the real API: what is submitted is
// executed by the real ledger, in an epoch of its own.
type fakeNode struct {
	mesh   *ledgertest.Mesh
	status api.Status
	url    string
	// lazy: submitted operations are taken and never executed.
	lazy bool
	// rival: is executed before what is submitted next.
	rival *ledger.Operation

	mu       sync.Mutex
	receipts map[[32]byte]api.Receipt
	faults   []api.Fault
}

const home = "alpha"

// newFakeNode starts the API of a node in a network of two chains with two
// validators each.
func newFakeNode(t *testing.T) *fakeNode {
	t.Helper()
	return newFakeNodeOf(t, ledgertest.New(2, 2, nil))
}

// newFakeNodeOf starts the API of a node of a network's first chain.
func newFakeNodeOf(t *testing.T, network *ledgertest.Network) *fakeNode {
	t.Helper()
	mesh, err := ledgertest.Play(network)
	ok(t, err)
	v := mesh.Chains[0].Validators[0]
	key := v.Key.PublicKey().Bytes()
	n := &fakeNode{mesh: mesh, receipts: map[[32]byte]api.Receipt{}, status: api.Status{
		Version: "v0.0.0-test", Network: mesh.ID.String(), Name: "alpha-0", Chain: home, Ready: true, Peers: 3,
		Validator: &api.Validator{Account: v.ID, Key: key[:], Active: true},
		Home:      api.Home{Height: 5, Time: ledgertest.GenesisTime + 5000},
	}}
	server := httptest.NewServer(api.Handler(n, http.NotFoundHandler(), slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

func (n *fakeNode) Status() api.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.status
	if last := n.mesh.Head(home).Checkpoint; last.Height > s.Home.Height {
		s.Home.Height, s.Home.Time = last.Height, last.Time
	}
	s.Ledgers = map[string]api.LedgerSummary{}
	for _, c := range n.mesh.Chains {
		head := n.mesh.Head(c.ID).Checkpoint
		root := head.Root()
		s.Ledgers[c.ID] = api.LedgerSummary{Epoch: head.Epoch, Executed: head.Epoch, LedgerRoot: head.LedgerRoot[:], Certificate: root[:]}
	}
	return s
}

func (n *fakeNode) Ledger(_ context.Context, chain string) (l api.Ledger, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mesh.Manifest.Chain(chain) == nil {
		return l, fmt.Errorf("chain %q: %w", chain, api.ErrNotFound)
	}
	r, head := n.mesh.Reader(chain), n.mesh.Head(chain).Checkpoint
	l = api.Ledger{Chain: chain, Epoch: head.Epoch, Root: head.LedgerRoot[:]}
	for _, read := range []func() error{
		func() error {
			meta, err := r.Meta()
			if err == nil {
				l.AuthorityNonce = meta.AuthorityNonce
			}
			return err
		},
		func() (err error) { l.Totals, err = r.Totals(); return },
		func() (err error) { l.Accounts, err = r.Accounts(); return },
		func() (err error) { l.Liens, err = r.Liens(); return },
		func() (err error) { l.Peers, err = r.Peers(); return },
		func() (err error) { l.Power, err = r.Power(); return },
		func() (err error) { l.Faults, err = r.Faults(); return },
		func() (err error) { l.Slashes, err = r.Slashes(); return },
		func() (err error) { l.Jailed, err = r.Jailed(); return },
		func() (err error) { l.Params, err = r.Params(); return },
		func() (err error) { l.Pending, err = r.Pending(); return },
	} {
		if err := read(); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (n *fakeNode) Certificate(_ context.Context, chain string, epoch uint64) (c api.Certificate, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if epoch == 0 || epoch > n.mesh.Head(chain).Checkpoint.Epoch {
		return c, fmt.Errorf("certificate of %s epoch %d: %w here yet", chain, epoch, api.ErrNotFound)
	}
	errs := make([]error, 3)
	c.Certificate, errs[0] = attest.EncodeCertificate(n.mesh.Certificate(chain, epoch))
	c.Set, errs[1] = attest.EncodeValidatorSet(n.mesh.Set(chain, epoch).ValidatorSet())
	c.Next, errs[2] = attest.EncodeValidatorSet(n.mesh.Set(chain, epoch+1).ValidatorSet())
	return c, errors.Join(errs...)
}

func (n *fakeNode) Checkpoint(context.Context, string, uint64) (api.Checkpoint, error) {
	return api.Checkpoint{}, api.ErrNotFound
}

func (n *fakeNode) Record(_ context.Context, chain, name string, epoch uint64) (out api.Record, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key, err := ledger.ParseKey(name)
	if err != nil {
		return out, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	last := n.mesh.Head(chain).Checkpoint.Epoch
	if epoch == 0 {
		epoch = last
	}
	if epoch == 0 || epoch > last {
		return out, fmt.Errorf("certificate of %s epoch %d: %w here", chain, epoch, api.ErrNotFound)
	}
	r, err := ledger.ProveRecord(n.mesh.TreeAt(chain, epoch), key)
	return api.Record{Chain: chain, Epoch: epoch, ProofRecord: r}, err
}

// Certificates come in pages of two, whatever is asked for.
func (n *fakeNode) Certificates(_ context.Context, chain string, from uint64, limit int) (api.Trail, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := min(from+uint64(min(limit, 2))-1, n.mesh.Head(chain).Checkpoint.Epoch)
	trail, err := n.mesh.Trail(chain, max(from, 1), to)
	return api.Trail{Links: trail}, err
}

func (n *fakeNode) Faults(_ context.Context, from uint64, limit int) ([]api.Fault, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	page := slices.Clone(n.faults[min(int(from), len(n.faults)):min(int(from)+limit, len(n.faults))])
	for i := range page {
		page[i].Refused = n.refusals(&page[i])
	}
	return page, nil
}

// refusals are the ledgers on which a fault is too old, as a real node tells them.
func (n *fakeNode) refusals(f *api.Fault) map[string]string {
	out := map[string]string{}
	for _, c := range n.mesh.Chains {
		r := n.mesh.Reader(c.ID)
		meta, err := r.Meta()
		params, err2 := r.Params()
		known, err3 := r.Fault([32]byte(f.ID))
		if errors.Join(err, err2, err3) != nil || known != nil {
			continue
		}
		var epoch, time uint64
		if c.ID == f.Chain {
			set, err := r.SetRecord(f.Epoch)
			if err != nil || set == nil {
				continue
			}
			epoch, time = f.Epoch-1, set.Time
		} else {
			cp, err := r.PeerCheckpoint(f.Chain, f.Epoch-1)
			if err != nil || cp == nil {
				continue
			}
			epoch, time = cp.AcceptedEpoch, cp.AcceptedTime
		}
		if params.EvidenceAge.Passed(epoch, time, meta.Epoch, meta.Time) {
			out[c.ID] = "the offence is too old"
		}
	}
	return out
}

func (n *fakeNode) Fault(_ context.Context, id [32]byte) (api.Fault, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.faults {
		if bytes.Equal(f.ID, id[:]) {
			f.Refused = n.refusals(&f)
			return f, nil
		}
	}
	return api.Fault{}, fmt.Errorf("fault %x: %w here", id, api.ErrNotFound)
}

func (n *fakeNode) Conviction(_ context.Context, chain string, id [32]byte) (ledger.ConvictionView, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, err := n.mesh.Reader(chain).Conviction(id)
	if err == nil && v == nil {
		err = fmt.Errorf("fault %x: %w on the ledger of %s", id, api.ErrNotFound, chain)
	}
	if err != nil {
		return ledger.ConvictionView{}, err
	}
	return *v, nil
}

// Report submits to the home chain, as a node does; the mesh is not played.
func (n *fakeNode) Report(ctx context.Context, proof *attest.FaultProof, reporter ledger.AccountID) (out api.Report, err error) {
	id := proof.ID()
	out = api.Report{ID: id[:], Reporter: reporter}
	n.mu.Lock()
	known, err := n.mesh.Reader(home).Fault(id)
	op, submit := n.mesh.SubmitFault(home, proof, reporter)
	n.mu.Unlock()
	if err = errors.Join(err, submit); err != nil {
		return out, err
	}
	n.learn(proof)
	if known != nil {
		out.Reason = fmt.Sprintf("it is recorded already since epoch %d", known.Recorded)
		return out, nil
	}
	encoded, err := ledger.EncodeOperation(op)
	if err != nil {
		return out, err
	}
	sent, err := n.Submit(ctx, encoded)
	out.Operation = sent[:]
	return out, err
}

// play runs the next epoch of a chain while the node answers.
func (n *fakeNode) play(t *testing.T, chain string, ops ...*ledger.Operation) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	r, err := n.mesh.Epoch(chain, ops...)
	ok(t, err)
	for _, x := range r.Receipts {
		if x.Code != 0 {
			t.Fatalf("%s: %s", chain, x.Reason)
		}
	}
}

// learn keeps a proof.
func (n *fakeNode) learn(proof *attest.FaultProof) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := proof.ID()
	a, err := attest.Peek(proof)
	if err != nil || slices.ContainsFunc(n.faults, func(f api.Fault) bool { return bytes.Equal(f.ID, id[:]) }) {
		return
	}
	f := api.Fault{ID: id[:], Kind: a.Kind.String(), Chain: a.ChainID, Epoch: a.Epoch, Forked: a.Forked, Seen: 1_700_000_010_000, Frozen: map[string]uint64{}, Executed: map[string]uint64{}}
	for i := range a.Accused.Ones() {
		f.Offenders = append(f.Offenders, n.mesh.Set(a.ChainID, a.Epoch).At(i).Account)
	}
	f.Proof, _ = attest.EncodeFaultProof(proof) // it was decoded before
	n.faults = append(n.faults, f)
}

func (n *fakeNode) Submit(_ context.Context, encoded []byte) (id [32]byte, err error) {
	op, err := ledger.DecodeOperation(encoded)
	if err != nil {
		return id, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	id = ledger.OperationID(encoded)
	if n.lazy {
		return id, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rival != nil {
		if _, err := n.mesh.Epoch(home, n.rival); err != nil {
			return id, err
		}
	}
	r, err := n.mesh.Epoch(home, op)
	if err != nil {
		return id, err
	}
	for _, x := range r.Receipts {
		n.receipts[x.Operation] = api.Receipt{
			ID: x.Operation[:], Chain: home, Epoch: r.Checkpoint.Epoch, Height: r.Checkpoint.Height - 4,
			OK: x.Code == 0, Code: ledger.Code(x.Code).String(), Reason: string(x.Reason),
		}
	}
	return id, nil
}

func (n *fakeNode) Receipt(_ context.Context, id [32]byte) (api.Receipt, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r, found := n.receipts[id]; found {
		return r, nil
	}
	return api.Receipt{}, fmt.Errorf("operation %x: %w among the executed ones", id, api.ErrNotFound)
}

// convict makes validator 1 of alpha sign twice, and plays on until it is slashed.
func (n *fakeNode) convict(t *testing.T) {
	t.Helper()
	_, err := n.mesh.Epoch(home)
	ok(t, err)
	proof, err := n.mesh.DoubleVote(home, 1, 1)
	ok(t, err)
	op, err := n.mesh.SubmitFault(home, proof, n.mesh.Chains[0].Validators[0].ID)
	ok(t, err)
	_, err = n.mesh.Epoch(home, op)
	ok(t, err)
	for range 3 {
		_, err = n.mesh.Epoch(home)
		ok(t, err)
	}
	encoded, err := attest.EncodeFaultProof(proof)
	ok(t, err)
	id := proof.ID()
	n.faults = append(n.faults, api.Fault{
		ID: id[:], Kind: "double_vote", Chain: home, Epoch: 1, Proof: encoded,
		Offenders: []ledger.AccountID{n.mesh.Chains[0].Validators[1].ID},
		Seen:      1_700_000_010_000, Frozen: map[string]uint64{home: 1_700_000_012_000, "beta": 1_700_000_013_500},
		Executed: map[string]uint64{home: 1_700_000_025_000},
	})
}

// result is what a run of the binary left.
type result struct {
	code     int
	out, err string
}

// meshsec runs the binary in this process.
func meshsec(t *testing.T, args ...string) result {
	t.Helper()
	t.Logf("meshsec %s", strings.Join(args, " "))
	var out, errOut bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// done runs a command that must succeed, and returns its standard output.
func done(t *testing.T, args ...string) string {
	t.Helper()
	r := meshsec(t, args...)
	if r.code != exitOK {
		t.Fatalf("exit code %d, %s", r.code, r.err)
	}
	return r.out
}

// fails runs a command that must end with code and one line of error that contains
// all of the texts.
func fails(t *testing.T, code int, texts []string, args ...string) result {
	t.Helper()
	r := meshsec(t, args...)
	if r.code != code {
		t.Errorf("exit code %d, want %d; %s", r.code, code, r.err)
	}
	if !strings.HasPrefix(r.err, "meshsec: ") || strings.Count(r.err, "\n") != 1 {
		t.Errorf("not one line of error: %q", r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("error %q does not contain %q", r.err, text)
		}
	}
	return r
}

// decoded reads a command's JSON, all of it.
func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	ok(t, d.Decode(&v))
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one value: %s", text)
	}
	checkKeys(t, []byte(text))
	return v
}

var lowerCase = regexp.MustCompile(`^[a-z0-9_]+$`)

// checkKeys holds the promise that keys are lower case.
func checkKeys(t *testing.T, text []byte) {
	t.Helper()
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case json.Unmarshal(text, &object) == nil:
		for k, v := range object {
			if !lowerCase.MatchString(k) {
				t.Errorf("JSON key %q is not lower case", k)
			}
			checkKeys(t, v)
		}
	case json.Unmarshal(text, &list) == nil:
		for _, v := range list {
			checkKeys(t, v)
		}
	}
}

var digest = regexp.MustCompile(`[0-9a-f]{12,}`)

// golden compares with a file in testdata. Hashes and keys do not count: they follow
// from rules that others test.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = digest.ReplaceAllStringFunc(got, func(s string) string { return strings.Repeat("x", len(s)) })
	path := filepath.Join("testdata", name)
	if *update {
		ok(t, os.MkdirAll("testdata", 0o755))
		ok(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v): run go test ./cmd/meshsec -update and look at the difference\ngot:\n%s", path, err, got)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	ok(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// accountKeyFile writes the key file of an account of the fake network.
func accountKeyFile(t *testing.T, v *ledgertest.Validator) string {
	t.Helper()
	return write(t, t.TempDir(), "account.key", hex.EncodeToString(v.Account.Seed())+"\n")
}
