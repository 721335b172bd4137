package node

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/node/api"
)

// metrics are what the node counts, each registered with the node's own registry.
type metrics struct {
	operations *prometheus.CounterVec
	signed     *prometheus.CounterVec
	faults     *prometheus.CounterVec
	slashes    *prometheus.CounterVec
	submitted  *prometheus.CounterVec
	tasks      prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	var errs []error
	register := func(c prometheus.Collector) { errs = append(errs, r.Register(c)) }
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "meshsec", Name: name, Help: help}, labels)
		register(v)
		return v
	}
	m := &metrics{
		operations: counter("operations_total", "Operations executed since the start, by chain and outcome.", "chain", "outcome"),
		signed:     counter("signed_total", "Signatures that left this node, by kind.", "kind"),
		faults:     counter("faults_total", "Fault proofs learned since the start, by chain and kind.", "chain", "kind"),
		slashes:    counter("slashes_total", "Slashes executed since the start, by chain.", "chain"),
		submitted:  counter("submitted_total", "Operations submitted to the home chain, by outcome.", "outcome"),
		tasks:      prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "meshsec", Name: "tasks_open", Help: "Tasks that the home chain has not ordered yet."}),
	}
	register(m.tasks)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics; does each node have a registry of its own? %w", err)
	}
	return m, nil
}

// state shows the status as it is when the metrics are collected. Safe for concurrent use.
type state struct {
	status func() api.Status
	node   []nodeGauge
	chain  []chainGauge
	build  *prometheus.Desc
}

type nodeGauge struct {
	desc  *prometheus.Desc
	value func(*api.Status) float64
}

type chainGauge struct {
	desc  *prometheus.Desc
	value func(api.LedgerSummary) float64
}

// newState asks for the status once for each collection.
func newState(status func() api.Status) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("meshsec_"+name, help, labels, nil)
	}
	node := func(name, help string, value func(*api.Status) float64) nodeGauge {
		return nodeGauge{desc(name, help), value}
	}
	holds := func(name, help string, of func(*api.Status) bool) nodeGauge {
		return node(name, help, func(s *api.Status) float64 {
			if of(s) {
				return 1
			}
			return 0
		})
	}
	return &state{
		status: status,
		node: []nodeGauge{
			holds("ready", "1 if nothing is missing; the status says what is.", func(s *api.Status) bool { return s.Ready }),
			holds("diverged", "1 if this node came to another result than a certified one, and attests nothing.", func(s *api.Status) bool { return s.Diverged != "" }),
			holds("validator_active", "1 if this node's key is in the next set of its chain.", func(s *api.Status) bool { return s.Validator != nil && s.Validator.Active }),
			holds("home_reachable", "1 if the home chain's node answers.", func(s *api.Status) bool { return s.Home.Error == "" }),
			node("home_height", "Last block of the home chain that was read.", func(s *api.Status) float64 { return float64(s.Home.Height) }),
			node("home_time_seconds", "Time of that block, Unix seconds.", func(s *api.Status) float64 { return float64(s.Home.Time) / 1000 }),
			node("warnings", "Warnings in the status.", func(s *api.Status) float64 { return float64(len(s.Warnings)) }),
		},
		chain: []chainGauge{
			{desc("executed_epoch", "Last epoch executed, by chain.", "chain"), func(l api.LedgerSummary) float64 { return float64(l.Executed) }},
			{desc("certified_epoch", "Last epoch up to which all have certificates, by chain.", "chain"), func(l api.LedgerSummary) float64 { return float64(l.Epoch) }},
		},
		build: desc("build_info", "1; the label is the version.", "version"),
	}
}

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, g := range s.node {
		out <- g.desc
	}
	for _, g := range s.chain {
		out <- g.desc
	}
	out <- s.build
}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	now := s.status()
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, g := range s.node {
		send(g.desc, g.value(&now))
	}
	for _, g := range s.chain {
		for id, l := range now.Ledgers {
			send(g.desc, g.value(l), id)
		}
	}
	send(s.build, 1, now.Version)
}
