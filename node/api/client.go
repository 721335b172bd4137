package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// maxAnswer bounds what a client reads of an answer: a page of the largest faults
// in hex.
const maxAnswer = MaxFaults*2<<20 + 1<<20

// Client asks one node. Its methods may be called from many goroutines at once.
// What the node refuses comes back as a [*StatusError].
type Client struct {
	base string
	http *http.Client
}

// NewClient asks the node at base, such as http://127.0.0.1:7480. A nil client
// is http.DefaultClient.
func NewClient(base string, client *http.Client) *Client {
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{base: strings.TrimRight(base, "/"), http: client}
}

// StatusError is an answer that is not 2xx. It is ErrNotFound, ErrInvalid or
// ErrUnavailable where its code says so.
type StatusError struct {
	Code    int    // HTTP status
	Message string // Problem.Error
}

// Error is the node's own line.
func (e *StatusError) Error() string { return e.Message }

// Is maps the code back to the error that the node's backend had.
func (e *StatusError) Is(target error) bool {
	switch e.Code {
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return target == ErrInvalid
	case http.StatusServiceUnavailable:
		return target == ErrUnavailable
	}
	return false
}

// Status asks for the node's state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Ready is nil once the node is ready; otherwise the error says what is missing.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[struct{}](ctx, c, "/readyz")
	return err
}

// Ledger asks for the newest executed state of a chain.
func (c *Client) Ledger(ctx context.Context, chain string) (Ledger, error) {
	return get[Ledger](ctx, c, "/v1/ledgers/"+url.PathEscape(chain))
}

// Checkpoint asks for a certified checkpoint; ErrNotFound while there is none.
func (c *Client) Checkpoint(ctx context.Context, chain string, epoch uint64) (Checkpoint, error) {
	return get[Checkpoint](ctx, c, "/v1/ledgers/"+url.PathEscape(chain)+"/checkpoints/"+strconv.FormatUint(epoch, 10))
}

// Record asks for a record and its proof, see [Backend].
func (c *Client) Record(ctx context.Context, chain, key string, epoch uint64) (Record, error) {
	return get[Record](ctx, c, fmt.Sprintf("/v1/ledgers/%s/records?key=%s&epoch=%d", url.PathEscape(chain), url.QueryEscape(key), epoch))
}

// Certificates asks for those of up to limit epochs, at most MaxLinks, see [Backend].
func (c *Client) Certificates(ctx context.Context, chain string, from uint64, limit int) (Trail, error) {
	return get[Trail](ctx, c, fmt.Sprintf("/v1/ledgers/%s/certificates?from=%d&limit=%d", url.PathEscape(chain), from, limit))
}

// Certificate asks for a certificate with its sets; ErrNotFound while there is none.
func (c *Client) Certificate(ctx context.Context, chain string, epoch uint64) (Certificate, error) {
	return get[Certificate](ctx, c, "/v1/ledgers/"+url.PathEscape(chain)+"/certificates/"+strconv.FormatUint(epoch, 10))
}

// Faults lists up to limit faults in the order in which the node learned them, from
// a position on; the first has position 0. A page shorter than min(limit,
// MaxFaults) is the last.
func (c *Client) Faults(ctx context.Context, from uint64, limit int) ([]Fault, error) {
	return get[[]Fault](ctx, c, fmt.Sprintf("/v1/faults?from=%d&limit=%d", from, limit))
}

// Fault asks for one fault.
func (c *Client) Fault(ctx context.Context, id [32]byte) (Fault, error) {
	return get[Fault](ctx, c, "/v1/faults/"+hex.EncodeToString(id[:]))
}

// Conviction asks what a chain's ledger knows of a fault; ErrNotFound if it has not
// recorded it.
func (c *Client) Conviction(ctx context.Context, chain string, id [32]byte) (ledger.ConvictionView, error) {
	return get[ledger.ConvictionView](ctx, c, "/v1/ledgers/"+url.PathEscape(chain)+"/faults/"+hex.EncodeToString(id[:]))
}

// Report hands a fault proof to the node, see [Backend].
func (c *Client) Report(ctx context.Context, proof *attest.FaultProof, reporter ledger.AccountID) (Report, error) {
	encoded, err := attest.EncodeFaultProof(proof)
	if err != nil {
		return Report{}, err
	}
	body, err := json.Marshal(Report{Proof: encoded, Reporter: reporter})
	if err != nil {
		return Report{}, err
	}
	return do[Report](ctx, c, http.MethodPost, "/v1/faults", body)
}

// Submit hands an encoded operation to the node's home chain.
func (c *Client) Submit(ctx context.Context, operation []byte) (id [32]byte, err error) {
	body, err := json.Marshal(Submission{Operation: operation})
	if err != nil {
		return id, err
	}
	out, err := do[Submission](ctx, c, http.MethodPost, "/v1/operations", body)
	if err != nil {
		return id, err
	}
	if len(out.ID) != len(id) {
		return id, fmt.Errorf("the node at %s answered with an id of %d bytes, want 32", c.base, len(out.ID))
	}
	return [32]byte(out.ID), nil
}

// Receipt asks what became of an operation; ErrNotFound until it was executed.
func (c *Client) Receipt(ctx context.Context, id [32]byte) (Receipt, error) {
	return get[Receipt](ctx, c, "/v1/operations/"+hex.EncodeToString(id[:]))
}

// Metrics is the node's metrics in Prometheus' text form.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return c.fetch(ctx, http.MethodGet, "/metrics", nil)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return do[T](ctx, c, http.MethodGet, path, nil)
}

func do[T any](ctx context.Context, c *Client, method, path string, body []byte) (v T, err error) {
	b, err := c.fetch(ctx, method, path, body)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("the answer of %s is not what this version expects; is it a meshsec node of the same version? %w", c.base+path, err)
	}
	return v, nil
}

func (c *Client) fetch(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.base+path, err)
	}
	if res.StatusCode/100 != 2 {
		var p Problem
		if json.Unmarshal(b, &p) != nil || p.Error == "" {
			p.Error = fmt.Sprintf("%s answered %s", c.base+path, res.Status)
			if res.StatusCode < http.StatusInternalServerError { // beyond are proxies
				p.Error += ": is it the API of a meshsec node?"
			}
		}
		return nil, &StatusError{Code: res.StatusCode, Message: p.Error}
	}
	return b, nil
}
