package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger"
)

// submitTimeout bounds one submission.
const submitTimeout = 10 * time.Second

// operationLife is how long an operation counts, so that one that was refused can't be
// replayed for ever.
const operationLife = time.Hour

// keptCrossCertificates is how many cross-certificates about one peer are kept.
const keptCrossCertificates = 8

// submitter tells the home chain what this node can prove and its ledger does not
// know (DESIGN §3.3), in its turn. One goroutine owns the queue; the others leave
// notes in its mailbox. Without a key it only takes notes.
type submitter struct {
	desk      *desk
	execution *execution
	key       *[48]byte
	home      func() (chain.Chain, error)
	metrics   *metrics
	log       *slog.Logger
	notes     *mailbox[note]

	queue  *queue
	known  knowledge
	height uint64
	time   uint64             // of the home ledger that tasks were derived from, Unix milliseconds
	drafts map[[32]byte]draft // what was submitted of the tasks under way
	stale  bool               // something changed since the tasks were derived
	failed string             // why tasks could not be derived the last time
}

// draft is the encoded operation of one variant of a task.
type draft struct {
	variant   uint
	operation []byte
}

// note is something that the submitter should know.
type note interface{ note() }

type (
	blockNote struct {
		height uint64
		tasks  map[[32]byte][32]byte
	}
	tipNote   struct{ height uint64 }
	crossNote struct{ certificate *attest.CrossCertificate }
	faultNote struct {
		fault    attest.VerifiedFault
		reporter ledger.AccountID // zero: this node's own
	}
	wakeNote struct{}
)

func (blockNote) note() {}
func (tipNote) note()   {}
func (crossNote) note() {}
func (faultNote) note() {}
func (wakeNote) note()  {}

func newSubmitter(d *desk, x *execution, key *[48]byte, m *metrics, log *slog.Logger) *submitter {
	return &submitter{
		desk: d, execution: x, key: key, metrics: m, log: log,
		notes: newMailbox[note](),
		queue: newQueue(), drafts: make(map[[32]byte]draft),
		known: knowledge{cross: make(map[string][]*attest.CrossCertificate), reporters: make(map[[32]byte]ledger.AccountID)},
	}
}

// block tells of a home-chain block and the tasks that its operations are meant for.
func (s *submitter) block(height uint64, tasks map[[32]byte][32]byte) {
	s.put(blockNote{height, tasks})
}

// tip tells that there is no block after this height yet: time to act.
func (s *submitter) tip(height uint64) { s.put(tipNote{height}) }

func (s *submitter) cross(c *attest.CrossCertificate) { s.put(crossNote{c}) }
func (s *submitter) fault(f attest.VerifiedFault, reporter ledger.AccountID) {
	s.put(faultNote{f, reporter})
}
func (s *submitter) wake() { s.put(wakeNote{}) }
func (s *submitter) put(n note) {
	if s.key != nil {
		s.notes.put(n)
	}
}

func (s *submitter) run(ctx context.Context) {
	for ctx.Err() == nil {
		act := false
		for _, n := range s.notes.take(ctx) {
			act = s.take(n) || act
		}
		if !act {
			continue
		}
		err := s.act(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != s.failed {
			s.failed = err.Error()
			s.log.Error("derive tasks", "error", err)
		}
		if err == nil {
			s.failed = ""
		}
	}
}

// take takes a note, and says whether it is time to act.
func (s *submitter) take(n note) bool {
	switch n := n.(type) {
	case blockNote:
		s.height, s.stale = n.height, true
		s.queue.block(n.height, n.tasks)
	case crossNote:
		peer := string(n.certificate.Claim.Peer)
		list := append(s.known.cross[peer], n.certificate)
		s.known.cross[peer] = list[max(0, len(list)-keptCrossCertificates):]
		s.stale = true
	case faultNote:
		s.known.faults = append(s.known.faults, n.fault)
		if n.reporter != (ledger.AccountID{}) {
			s.known.reporters[n.fault.ID()] = n.reporter
		}
		s.stale = true
	case wakeNote:
		s.stale = true
	case tipNote:
		return n.height > 0
	}
	return false
}

// act derives the tasks if something has changed, and submits those that are due.
func (s *submitter) act(ctx context.Context) error {
	var derivation error
	if s.stale {
		derivation = s.derive()
		s.stale = derivation != nil
	}
	for _, t := range s.queue.due(s.height) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		hash, err := s.submit(ctx, t)
		s.queue.sent(t.id, s.height, hash)
		s.metrics.submitted.WithLabelValues(outcomeOf(err)).Inc()
		if err != nil {
			s.log.Warn("submit", "task", t.name, "error", err)
			continue
		}
		s.log.Info("submitted", "task", t.name, "height", s.height)
	}
	return derivation
}

func (s *submitter) derive() error {
	reader, err := s.execution.reader(s.desk.spec.ID)
	if err != nil {
		return err
	}
	meta, err := reader.Meta()
	if err != nil {
		return err
	}
	set, err := s.desk.archive.Set(s.desk.spec.ID, meta.Epoch+1)
	if err != nil {
		return err
	}
	s.known.faults = slices.DeleteFunc(s.known.faults, func(f attest.VerifiedFault) bool {
		settled := s.desk.settled(reader, meta, f)
		if settled {
			delete(s.known.reporters, f.ID())
		}
		return settled
	})
	tasks, err := s.desk.tasks(reader, s.known)
	s.time = meta.Time
	s.queue.derived(s.height, meta.Height, tasks, func(order [32]byte) int { return rank(order, set, *s.key) })
	maps.DeleteFunc(s.drafts, func(id [32]byte, _ draft) bool { return s.queue.entries[id] == nil })
	s.metrics.tasks.Set(float64(len(s.queue.open())))
	return err
}

func (s *submitter) submit(ctx context.Context, t turn) (hash [32]byte, err error) {
	c, err := s.home()
	if err != nil {
		return hash, err
	}
	operation, err := s.draft(t)
	if err != nil {
		return hash, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	return sha256.Sum256(operation), c.Submit(ctx, operation)
}

// draft is the same bytes for the same variant of a task, and others for another one,
// since the time at which it expires differs. Nodes that derive a task from the same
// epoch agree on that time, so that a mempool knows their operations from each other.
func (s *submitter) draft(t turn) ([]byte, error) {
	if d, ok := s.drafts[t.id]; ok && d.variant == t.variant {
		return d.operation, nil
	}
	op, err := t.build()
	if err != nil {
		return nil, err
	}
	op.Expires = s.time + uint64(operationLife.Milliseconds()) + uint64(t.variant)
	operation, err := ledger.EncodeOperation(op)
	if err != nil {
		return nil, err
	}
	s.drafts[t.id] = draft{t.variant, operation}
	return operation, nil
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, chain.ErrUnreachable), errors.Is(err, chain.ErrBusy), errors.Is(err, chain.ErrFailed):
		return "later"
	default:
		return "failed"
	}
}
