package node_test

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/node"
)

// TestDocumentedMetricsAreThose: docs/operations.md names every metric of a node with its
// labels, and no other.
func TestDocumentedMetricsAreThose(t *testing.T) {
	h := newHouse(t)
	registry := prometheus.NewRegistry()
	n, err := node.New(context.Background(), h.cfg, slog.New(slog.DiscardHandler), node.Options{NewGuard: true, Registry: registry})
	must(t, err)
	defer func() { must(t, n.Close()) }()

	descs := make(chan *prometheus.Desc, 1000)
	registry.Describe(descs)
	close(descs)
	form := regexp.MustCompile(`fqName: "(\w+)".*constLabels: \{(\w*).*variableLabels: \{([\w,]*)\}`)
	var have []string
	for d := range descs {
		part := form.FindStringSubmatch(d.String())
		if part == nil {
			t.Fatalf("what is %s?", d)
		}
		name, labels := part[1], part[2]+part[3]
		if labels != "" {
			name += "{" + labels + "}"
		}
		have = append(have, name)
	}
	page, err := os.ReadFile("../docs/operations.md")
	must(t, err)
	var said []string
	for _, m := range regexp.MustCompile("`(meshsec_[^`]*)`").FindAllStringSubmatch(string(page), -1) {
		said = append(said, m[1])
	}
	slices.Sort(have)
	slices.Sort(said)
	if have = slices.Compact(have); !slices.Equal(have, said) {
		t.Errorf("there is\n%s\nand the page says\n%s", strings.Join(have, "\n"), strings.Join(said, "\n"))
	}
}
