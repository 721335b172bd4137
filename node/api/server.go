package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// Limits of a request.
const (
	// MaxRequest bounds a request's body in bytes: the largest operation in hex,
	// and the JSON around it.
	MaxRequest = 2<<20 + 1024
	// MaxFaults bounds one page of faults.
	MaxFaults = 100
	// MaxLinks bounds one page of certificates.
	MaxLinks = 100
	// RequestTimeout bounds the handling of a request.
	RequestTimeout = 20 * time.Second
)

// What a [Backend] says no with. They choose the status of the answer; the text of
// the error that wraps them is what the caller reads.
var (
	ErrNotFound    = errors.New("not found")         // 404
	ErrInvalid     = errors.New("invalid request")   // 400
	ErrUnavailable = errors.New("not available now") // 503
)

// Backend is the node as the API sees it. All methods may be called from many
// goroutines at once, and return when ctx ends.
type Backend interface {
	Status() Status
	// Ledger shows the newest executed state of a chain; ErrNotFound if the
	// network has none of that name.
	Ledger(ctx context.Context, chain string) (Ledger, error)
	// Checkpoint is ErrNotFound while there is no certificate of the epoch.
	Checkpoint(ctx context.Context, chain string, epoch uint64) (Checkpoint, error)
	// Record proves what a ledger holds under a key, named as [ledger.ParseKey] reads
	// it, at the end of a certified epoch; 0 is the newest. ErrNotFound if there is no
	// certificate, or the epoch's state is no longer kept.
	Record(ctx context.Context, chain, key string, epoch uint64) (Record, error)
	// Certificates are those of up to limit consecutive epochs from one on, each with
	// its set unless that is the one before; none if the first is not there.
	Certificates(ctx context.Context, chain string, from uint64, limit int) (Trail, error)
	// Certificate is ErrNotFound while there is none of the epoch.
	Certificate(ctx context.Context, chain string, epoch uint64) (Certificate, error)
	// Faults lists up to limit faults in the order in which the node learned them,
	// from a position on; the first has position 0.
	Faults(ctx context.Context, from uint64, limit int) ([]Fault, error)
	Fault(ctx context.Context, id [32]byte) (Fault, error)
	// Conviction is what a chain's newest executed ledger knows of a fault; ErrNotFound
	// if it has not recorded it.
	Conviction(ctx context.Context, chain string, id [32]byte) (ledger.ConvictionView, error)
	// Report verifies a proof, keeps it and tells the mesh of it, and submits it to the
	// home chain. ErrInvalid if it convicts nobody, ErrUnavailable if it can't be judged
	// or submitted now.
	Report(ctx context.Context, proof *attest.FaultProof, reporter ledger.AccountID) (Report, error)
	// Submit hands an operation to the home chain. ErrInvalid if it isn't one,
	// ErrUnavailable if the chain can't be reached.
	Submit(ctx context.Context, operation []byte) (id [32]byte, err error)
	// Receipt is ErrNotFound until the operation was executed.
	Receipt(ctx context.Context, id [32]byte) (Receipt, error)
}

// Handler serves the API from b. metrics answers GET /metrics.
func Handler(b Backend, metrics http.Handler, log *slog.Logger) http.Handler {
	s := &server{b: b, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", answer(s, s.status))
	mux.HandleFunc("GET /v1/ledgers/{chain}", answer(s, s.ledger))
	mux.HandleFunc("GET /v1/ledgers/{chain}/checkpoints/{epoch}", answer(s, s.checkpoint))
	mux.HandleFunc("GET /v1/ledgers/{chain}/records", answer(s, s.record))
	mux.HandleFunc("GET /v1/ledgers/{chain}/certificates", answer(s, s.certificates))
	mux.HandleFunc("GET /v1/ledgers/{chain}/certificates/{epoch}", answer(s, s.certificate))
	mux.HandleFunc("GET /v1/ledgers/{chain}/faults/{id}", answer(s, s.conviction))
	mux.HandleFunc("GET /v1/faults", answer(s, s.faults))
	mux.HandleFunc("POST /v1/faults", answer(s, s.report))
	mux.HandleFunc("GET /v1/faults/{id}", answer(s, s.fault))
	mux.HandleFunc("POST /v1/operations", answer(s, s.submit))
	mux.HandleFunc("GET /v1/operations/{id}", answer(s, s.receipt))
	mux.HandleFunc("GET /healthz", answer(s, s.health))
	mux.HandleFunc("GET /readyz", answer(s, s.ready))
	mux.Handle("GET /metrics", metrics)
	if m, ok := b.(Misbehaver); ok {
		mux.HandleFunc("POST /v1/misbehave", answer(s, misbehave(m)))
	}
	mux.HandleFunc("/", answer(s, func(r *http.Request) (any, error) {
		return nil, fmt.Errorf("%s %s: %w; see the routes in the documentation of package api", r.Method, r.URL.Path, ErrNotFound)
	}))
	return mux
}

// NewServer is an http.Server for h with the time limits that a public port needs.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       RequestTimeout,
		WriteTimeout:      2 * RequestTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

type server struct {
	b   Backend
	log *slog.Logger
}

// answer turns a function from request to value into a handler.
func answer[T any](s *server, f func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), RequestTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, MaxRequest)
		v, err := f(r.WithContext(ctx))
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.write(w, http.StatusOK, v)
	}
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusInternalServerError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, ErrNotFound):
		code = http.StatusNotFound
	case errors.As(err, &tooLarge):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrInvalid):
		code = http.StatusBadRequest
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		code = http.StatusServiceUnavailable
	default:
		s.log.Warn("answer request", "path", r.URL.Path, "error", err)
	}
	s.write(w, code, Problem{Error: err.Error()})
}

func (s *server) write(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.log.Error("encode answer", "error", err)
		http.Error(w, `{"error":"the answer has no JSON form; see the node's log"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // the caller has gone: nobody is left to tell
}

func (s *server) status(*http.Request) (Status, error) { return s.b.Status(), nil }

func (s *server) ledger(r *http.Request) (Ledger, error) {
	return s.b.Ledger(r.Context(), r.PathValue("chain"))
}

func (s *server) checkpoint(r *http.Request) (Checkpoint, error) {
	epoch, err := parseEpoch(r)
	if err != nil {
		return Checkpoint{}, err
	}
	return s.b.Checkpoint(r.Context(), r.PathValue("chain"), epoch)
}

func (s *server) certificate(r *http.Request) (Certificate, error) {
	epoch, err := parseEpoch(r)
	if err != nil {
		return Certificate{}, err
	}
	return s.b.Certificate(r.Context(), r.PathValue("chain"), epoch)
}

func parseEpoch(r *http.Request) (uint64, error) {
	epoch, err := strconv.ParseUint(r.PathValue("epoch"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: epoch %q is not a number", ErrInvalid, r.PathValue("epoch"))
	}
	return epoch, nil
}

func (s *server) record(r *http.Request) (Record, error) {
	epoch, err := number(r, "epoch")
	if err != nil {
		return Record{}, err
	}
	return s.b.Record(r.Context(), r.PathValue("chain"), r.URL.Query().Get("key"), epoch)
}

func (s *server) certificates(r *http.Request) (Trail, error) {
	from, limit, err := page(r, MaxLinks)
	if err != nil {
		return Trail{}, err
	}
	t, err := s.b.Certificates(r.Context(), r.PathValue("chain"), from, limit)
	if t.Links == nil {
		t.Links = ledger.Trail{}
	}
	return t, err
}

// number is a parameter that is 0 when it is missing.
func number(r *http.Request, name string) (uint64, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q is not a number", ErrInvalid, name, v)
	}
	return n, nil
}

// page is what part of a list is asked for.
func page(r *http.Request, largest int) (from uint64, limit int, err error) {
	if from, err = number(r, "from"); err != nil {
		return 0, 0, err
	}
	limit = largest
	if v := r.URL.Query().Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return 0, 0, fmt.Errorf("%w: limit %q is not a positive number", ErrInvalid, v)
		}
		limit = min(n, largest)
	}
	return from, limit, nil
}

func (s *server) faults(r *http.Request) ([]Fault, error) {
	from, limit, err := page(r, MaxFaults)
	if err != nil {
		return nil, err
	}
	list, err := s.b.Faults(r.Context(), from, limit)
	if list == nil {
		list = []Fault{}
	}
	return list, err
}

func (s *server) fault(r *http.Request) (Fault, error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return Fault{}, err
	}
	return s.b.Fault(r.Context(), id)
}

func (s *server) conviction(r *http.Request) (ledger.ConvictionView, error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return ledger.ConvictionView{}, err
	}
	return s.b.Conviction(r.Context(), r.PathValue("chain"), id)
}

func (s *server) report(r *http.Request) (Report, error) {
	var in Report
	if err := decode(r, &in); err != nil {
		return Report{}, fmt.Errorf(`%w: the body must be {"proof": "<hex>", "reporter": "<account>"}: %w`, ErrInvalid, err)
	}
	proof, err := attest.DecodeFaultProof(in.Proof)
	if err != nil {
		return Report{}, fmt.Errorf("%w: proof: %w", ErrInvalid, err)
	}
	return s.b.Report(r.Context(), proof, in.Reporter)
}

// decode reads a body in JSON, of known keys only.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func (s *server) submit(r *http.Request) (Submission, error) {
	var in Submission
	if err := decode(r, &in); err != nil {
		return Submission{}, fmt.Errorf(`%w: the body must be {"operation": "<hex>"}: %w`, ErrInvalid, err)
	}
	if len(in.Operation) == 0 {
		return Submission{}, fmt.Errorf("%w: operation is empty; put the encoded operation there in hex", ErrInvalid)
	}
	id, err := s.b.Submit(r.Context(), in.Operation)
	return Submission{ID: id[:]}, err
}

func (s *server) receipt(r *http.Request) (Receipt, error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return Receipt{}, err
	}
	return s.b.Receipt(r.Context(), id)
}

func (s *server) health(*http.Request) (struct{}, error) { return struct{}{}, nil }

func (s *server) ready(*http.Request) (struct{}, error) {
	if st := s.b.Status(); !st.Ready {
		return struct{}{}, fmt.Errorf("%w: %s", ErrUnavailable, st.Reason)
	}
	return struct{}{}, nil
}

func parseID(s string) (id [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%w: %q is not an id of 64 hex digits", ErrInvalid, s)
	}
	return [32]byte(b), nil
}
