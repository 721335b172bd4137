package comet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/meshsec/meshsec/node/chain"
)

// maxAnswer bounds what is read of one answer: CometBFT's largest possible
// block, 100 MiB, in base64, and some room for the rest.
const maxAnswer = 144 << 20

// noSuchMethod is JSON-RPC's code for a method that the server does not know.
const noSuchMethod = -32601

// rpc is a JSON-RPC client for one CometBFT node.
type rpc struct {
	endpoint string
	http     *http.Client
}

// refusal is an error that the node answered. Data holds the reason, as free
// text. It is a chain.ErrFailed.
type refusal struct {
	Method  string `json:"-"`
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%v: %s: %s (%s, code %d)", chain.ErrFailed, r.Method, r.Data, r.Message, r.Code)
}

func (r *refusal) Unwrap() error { return chain.ErrFailed }

func asRefusal(err error, to **refusal) bool { return errors.As(err, to) }

// call invokes method and decodes its result into result, a pointer for
// encoding/json. It returns a *refusal, chain.ErrUnreachable,
// chain.ErrInconsistent for a result of another shape, or ctx's error.
func (r *rpc) call(ctx context.Context, method string, params map[string]any, result any) (err error) {
	defer func() {
		// A connection that was kept can lead to a server that has stopped
		// serving but still holds it: after a failure always dial again.
		if err != nil {
			r.http.CloseIdleConnections()
		}
	}()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("encode the call %s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("RPC address %q is not usable: %w", r.endpoint, err)
	}
	request.Header.Set("Content-Type", "application/json")
	// Not sent, but it tells net/http that the call can be repeated on a new
	// connection when the node closed the kept one. All our calls can.
	request.Header["Idempotency-Key"] = nil

	response, err := r.http.Do(request)
	if err != nil {
		return r.unreachable(ctx, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return r.unreachable(ctx, err)
	}
	if len(answer) > maxAnswer {
		return fmt.Errorf("%w: %s answers %s with more than %d bytes", chain.ErrInconsistent, r.endpoint, method, maxAnswer)
	}

	var envelope struct {
		Result json.RawMessage `json:"result"`
		Error  *refusal        `json:"error"`
	}
	// CometBFT sends its errors with status 500 and the same envelope.
	if err := json.Unmarshal(answer, &envelope); err != nil || envelope.Error == nil && envelope.Result == nil {
		return fmt.Errorf("%w: %s answers %q, which is not CometBFT's RPC; check the address", chain.ErrUnreachable, r.endpoint, response.Status)
	}
	if envelope.Error != nil {
		envelope.Error.Method = method
		return envelope.Error
	}
	if err := json.Unmarshal(envelope.Result, result); err != nil {
		return fmt.Errorf("%w: %s of %s: %w", chain.ErrInconsistent, method, r.endpoint, err)
	}
	return nil
}

func (r *rpc) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w; is the node running, and is %s its RPC address?", chain.ErrUnreachable, err, r.endpoint)
}
