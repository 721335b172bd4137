package p2p

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one node. Its vectors exist without a registerer too: they just are
// not shown to anybody.
type metrics struct {
	messages   *prometheus.CounterVec // topic, condition
	published  *prometheus.CounterVec // topic
	dropped    prometheus.Counter     // parked messages that had to give way
	requests   *prometheus.CounterVec // side, method, outcome
	bytes      *prometheus.CounterVec // side, method
	collectors []prometheus.Collector
	registerer prometheus.Registerer
}

// newMetrics makes the metrics; the functions are called when they are scraped.
func newMetrics(peers, parked func() float64, meshed func(topic string) int, channels []*channel) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "meshsec", Subsystem: "p2p", Name: name, Help: help}
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	m := &metrics{
		messages:  counters("messages_total", "Messages judged, by topic and condition (docs/gossip.md).", "topic", "condition"),
		published: counters("published_total", "Messages published by this node, by topic.", "topic"),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts(opts("parked_dropped_total", "Parked messages that gave way to others."))),
		requests:  counters("sync_requests_total", "Sync requests by side (server, client), method and outcome.", "side", "method", "outcome"),
		bytes:     counters("sync_bytes_total", "Bytes of sync responses by side (server sent, client received) and method.", "side", "method"),
	}
	m.collectors = []prometheus.Collector{
		m.messages, m.published, m.dropped, m.requests, m.bytes,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("peers", "Connected peers of this network.")), peers),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("parked", "Messages that wait for an epoch to become known.")), parked),
	}
	for _, c := range channels {
		gauge := prometheus.GaugeOpts(opts("mesh_peers", "Peers in the GossipSub mesh, by topic."))
		gauge.ConstLabels = prometheus.Labels{"topic": c.label}
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(gauge, func() float64 { return float64(meshed(c.name)) }))
	}
	return m
}

// register shows the metrics to r, or to nobody when it is nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.collectors {
		if err := r.Register(c); err != nil {
			for _, done := range m.collectors[:i] {
				r.Unregister(done)
			}
			return fmt.Errorf("p2p: register metrics; give each node its own registerer: %w", err)
		}
	}
	m.registerer = r
	return nil
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) judged(topic string, c Condition) {
	m.messages.WithLabelValues(topic, c.String()).Inc()
}
