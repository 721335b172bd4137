package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Misbehaver is a [Backend] of a test network whose node can be told to break a rule.
// Only for such a one [Handler] has the route POST /v1/misbehave.
type Misbehaver interface {
	Backend
	// Misbehave makes the node put into the state of its own chain what no operation
	// did, in an epoch that it has not executed yet: it certifies, stores and shows that
	// as if it were right. ErrInvalid for an epoch that is over.
	Misbehave(ctx context.Context, epoch uint64) error
}

// Misdeed is the body of POST /v1/misbehave.
type Misdeed struct {
	Epoch uint64 `json:"epoch"` // whose result is to be wrong
}

func misbehave(b Misbehaver) func(*http.Request) (Misdeed, error) {
	return func(r *http.Request) (Misdeed, error) {
		var in Misdeed
		if err := decode(r, &in); err != nil {
			return in, fmt.Errorf(`%w: the body must be {"epoch": N}: %w`, ErrInvalid, err)
		}
		return in, b.Misbehave(r.Context(), in.Epoch)
	}
}

// Misbehave asks a node of a test network to break a rule, see [Misbehaver]; ErrNotFound
// of every other node.
func (c *Client) Misbehave(ctx context.Context, epoch uint64) error {
	body, err := json.Marshal(Misdeed{epoch})
	if err != nil {
		return err
	}
	_, err = do[Misdeed](ctx, c, http.MethodPost, "/v1/misbehave", body)
	return err
}
