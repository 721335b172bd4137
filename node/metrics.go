package node

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the node counts, each registered with the node's own registry.
type metrics struct {
	executed   *prometheus.GaugeVec
	certified  *prometheus.GaugeVec
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
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "meshsec", Name: name, Help: help}, labels)
		register(v)
		return v
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "meshsec", Name: name, Help: help}, labels)
		register(v)
		return v
	}
	m := &metrics{
		executed:   gauge("executed_epoch", "Last epoch executed, by chain.", "chain"),
		certified:  gauge("certified_epoch", "Last epoch up to which all have certificates, by chain.", "chain"),
		operations: counter("operations_total", "Operations executed since the start, by chain and outcome.", "chain", "outcome"),
		signed:     counter("signed_total", "Signatures that left this node, by kind.", "kind"),
		faults:     counter("faults_total", "Fault proofs learned since the start, by chain and kind.", "chain", "kind"),
		slashes:    counter("slashes_total", "Slashes executed since the start, by chain.", "chain"),
		submitted:  counter("submitted_total", "Operations submitted to the home chain, by outcome.", "outcome"),
		tasks:      gauge("tasks_open", "Tasks that the home chain has not ordered yet.").WithLabelValues(),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics; does each node have a registry of its own? %w", err)
	}
	return m, nil
}
