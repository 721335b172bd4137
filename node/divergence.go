package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// divergence is what this node knows of results that differ from certified ones. A
// node that has diverged attests nothing any more, also after a restart; it goes on
// to follow what it can and to answer. Safe for concurrent use.
type divergence struct {
	path  string // file that keeps the reason across restarts; empty: none
	store *store.Store
	mesh  *p2p.Node
	court *prosecutor
	// ordered compares what is certified with the home chain's blocks.
	ordered *orders
	loop    *loop
	cases   *mailbox[divergentCase]
	log     *slog.Logger

	mu    sync.Mutex
	why   string
	left  map[string]string // chains that are not followed any more, and why
	warns []string
}

// divergentCase is our checkpoint of an epoch and the certificate of another one.
type divergentCase struct {
	ours        *attest.Checkpoint
	certificate attest.VerifiedCertificate
}

// divergedFile is the name of the file in the data folder.
const divergedFile = "diverged.txt"

func newDivergence(folder string, s *store.Store, l *loop, log *slog.Logger) (*divergence, error) {
	d := &divergence{store: s, loop: l, cases: newMailbox[divergentCase](), log: log, left: make(map[string]string)}
	if folder == "" {
		return d, nil
	}
	d.path = filepath.Join(folder, divergedFile)
	b, err := os.ReadFile(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d.why = strings.TrimSpace(string(b))
	return d, nil
}

// reason is why the node has diverged; empty if it has not.
func (d *divergence) reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// warnings are what the operator should know, the same as long as nothing changes.
func (d *divergence) warnings() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Clone(d.warns)
	for chain, why := range d.left {
		out = append(out, fmt.Sprintf("no longer following %s: %s", chain, why))
	}
	slices.Sort(out)
	return out
}

// warn adds a warning, once.
func (d *divergence) warn(text string, args ...any) {
	d.mu.Lock()
	first := !slices.Contains(d.warns, text)
	if first {
		d.warns = append(d.warns, text)
	}
	d.mu.Unlock()
	if first {
		d.log.Error(text, args...)
	}
}

// stopped says whether a chain is not followed any more.
func (d *divergence) stopped(chain string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left[chain] != ""
}

// leave ends the following of a chain.
func (d *divergence) leave(chain, why string) {
	d.mu.Lock()
	first := d.left[chain] == ""
	d.left[chain] = why
	d.mu.Unlock()
	if first {
		d.log.Error("no longer following", "chain", chain, "reason", why)
	}
}

// set writes the reason down. A later one completes an earlier one.
func (d *divergence) set(why string) {
	d.mu.Lock()
	d.why = why
	d.mu.Unlock()
	d.log.Error("DIVERGED: this node has stopped attesting", "reason", why,
		"advice", "compare versions and manifests with your peers; to start over stop the node, delete its data folder (never the guard) and let it sync")
	if d.path == "" {
		return
	}
	if err := os.WriteFile(d.path, []byte(why+"\n"), 0o600); err != nil {
		d.log.Error("keep the reason for the next start", "error", err)
	}
}

// found stops the attesting over a difference whose first step is known.
func (d *divergence) found(ctx context.Context, ours, certified *attest.Checkpoint, step string) error {
	chain := string(ours.ChainID)
	why := fmt.Sprintf("%s epoch %d: our %s is not the certified one; %s", chain, ours.Epoch, differingField(ours, certified), step)
	d.leave(chain, why)
	d.set(why)
	return tell(ctx, d.loop, func(c *council, _ time.Time) { c.stop(why) })
}

// investigate looks for the first differing step, in another goroutine.
func (d *divergence) investigate(ours *attest.Checkpoint, certificate attest.VerifiedCertificate) {
	d.cases.put(divergentCase{ours, certificate})
}

func (d *divergence) run(ctx context.Context) {
	for ctx.Err() == nil {
		for _, c := range d.cases.take(ctx) {
			if err := d.found(ctx, c.ours, c.certificate.Checkpoint(), d.search(ctx, c)); err != nil {
				return
			}
		}
	}
}

// search compares our transcript with the certified one, as far as a peer has it, and has
// it proven where the certified one is wrong.
func (d *divergence) search(ctx context.Context, c divergentCase) string {
	chain, epoch := string(c.ours.ChainID), c.ours.Epoch
	own, err := d.store.Journal(chain, epoch)
	if err != nil {
		return fmt.Sprintf("our own journal can't be read: %v", err)
	}
	for _, from := range d.mesh.SyncPeers() {
		entries, err := d.mesh.FetchEpochs(ctx, from, chain, epoch, 1)
		if err != nil || len(entries) == 0 {
			continue
		}
		entry, err := store.DecodeEntry(entries[0])
		if err != nil {
			continue
		}
		wrong, err := d.accuse(ctx, c.certificate, entry)
		switch {
		case err == nil:
			return wrong
		case !errors.Is(err, ledger.ErrNoBreach):
			d.log.Debug("compare with the certified transcript", "peer", from, "error", err)
		}
		if wrong, err := d.ordered.accuse(ctx, c.certificate, entry); err != nil {
			d.log.Debug("compare the certified transcript with the home chain's blocks", "peer", from, "error", err)
		} else if wrong != "" {
			return wrong
		}
		if entry.Authentic(c.certificate.Checkpoint()) != nil {
			continue
		}
		return differingStep(own.Transcript, entry.Transcript)
	}
	return "no peer could show the certified transcript"
}

// accuse looks for what is wrong with a certified epoch that was executed here.
func (d *divergence) accuse(ctx context.Context, cert attest.VerifiedCertificate, entry *store.Entry) (string, error) {
	before, err := d.store.Journal(cert.ChainID(), cert.Epoch()-1)
	if err != nil {
		return "", err
	}
	tree, err := d.store.TreeAt(cert.ChainID(), cert.Epoch()-1)
	if err != nil {
		return "", err
	}
	return d.court.accuse(ctx, cert, before.Checkpoint, tree, entry)
}
