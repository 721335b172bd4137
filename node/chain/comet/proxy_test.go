package comet_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cometbft/cometbft/mempool"
)

var mempoolInfo mempool.TxInfo

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// liar passes calls on to a node and replaces text in its answers.
type liar struct {
	node string

	mu       sync.Mutex
	old, new string
}

func (l *liar) set(old, new string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.old, l.new = old, new
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := http.Post(l.node, "application/json", r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(body)
	if l.old != "" {
		text = strings.ReplaceAll(text, l.old, l.new)
	}
	w.WriteHeader(answer.StatusCode)
	io.WriteString(w, text)
}
