package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestStartEndsWhenAnotherCommandStopsEverything(t *testing.T) {
	stopped := []map[string]State{all(Running, nil), all(Stopped, nil)}

	n, nodes := stage(t)
	nodes["beta-1"].status.Ready = false
	if err := newObserver(n).settle(t.Context(), &script{acts: stopped}, nil); !errors.Is(err, errStoppedElsewhere) {
		t.Errorf("while it waited for the nodes: %v", err)
	}

	n, nodes = bondedStage(t)
	nodes["beta-0"].onSubmit = nil // swallows everything
	if err := newObserver(n).settle(t.Context(), &script{acts: stopped}, nil); err == nil || err.Error() != errStoppedElsewhere.Error() {
		t.Errorf("while it bonded: %v", err)
	}

	n, _ = stage(t)
	rpc := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer rpc.Close()
	for _, c := range n.Chains {
		c.RPC = rpc.Listener.Addr().String()
	}
	b := &script{acts: stopped}
	if err := n.launch(t.Context(), b, nil); !errors.Is(err, errStoppedElsewhere) || strings.Join(b.started, " ") != "alpha beta" {
		t.Errorf("between the home chains and the nodes: %v, having started %v", err, b.started)
	}
}

// With --detach, done means ready: a script goes on from there.
func TestAStartThatIsInterruptedIsNoReadyTestnet(t *testing.T) {
	interrupted := fmt.Errorf("deposit: %w", context.Canceled)
	if err := unready(interrupted, false); err != nil {
		t.Errorf("somebody watched and had enough: %v", err)
	}
	if err := unready(interrupted, true); err == nil || !strings.Contains(err.Error(), "before the testnet was ready") {
		t.Errorf("a script wanted a testnet: %v", err)
	}
	for _, detach := range []bool{false, true} {
		if err := unready(errBusy, detach); !errors.Is(err, errBusy) {
			t.Errorf("detach %v: %v", detach, err)
		}
	}
}

func TestStartEndsWhenSomebodyDies(t *testing.T) {
	n, nodes := bondedStage(t)
	nodes["beta-0"].onSubmit = nil // swallows everything
	b := &script{acts: []map[string]State{all(Running, nil), all(Running, map[string]State{"beta": Died})}}
	var death *DeathError
	if err := newObserver(n).settle(t.Context(), b, nil); !errors.As(err, &death) || death.Name != "beta" {
		t.Errorf("while it bonded: %v", err)
	}
}
