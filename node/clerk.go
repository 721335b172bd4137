package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/guard"
)

// clerk carries out what the council wants done, one effect after the other: it
// signs, stores and sends. It is the only one who signs.
type clerk struct {
	net       attest.Network
	self      string
	signer    Signer // nil: never asked to sign
	store     *store.Store
	mesh      *p2p.Node
	loop      *loop
	followers map[string]*follower
	submitter *submitter
	faults    *faultLog
	divergent *divergence
	court     *prosecutor
	metrics   *metrics
	log       *slog.Logger
}

// run ends with the context, or when our own store fails: the council takes for kept what
// it had kept, and would never ask for it again.
func (k *clerk) run(ctx context.Context) error {
	for ctx.Err() == nil {
		for _, e := range k.loop.effects.take(ctx) {
			if ctx.Err() != nil {
				return nil
			}
			err := k.do(ctx, e)
			if isOurs(err) {
				return fmt.Errorf("carry out %T: %w", e, err)
			}
			if err != nil && ctx.Err() == nil {
				k.log.Error("carry out", "what", fmt.Sprintf("%T", e), "error", err)
			}
		}
	}
	return nil
}

func (k *clerk) do(ctx context.Context, e effect) error {
	switch e := e.(type) {
	case signCheckpoint:
		return k.attest(ctx, e.epoch)
	case signClaim:
		return k.crossAttest(ctx, e.claim)
	case publishVote:
		return k.mesh.PublishVote(ctx, e.vote)
	case publishCross:
		return k.mesh.PublishCross(ctx, e.vote)
	case publishCertificate:
		c := &e.certificate.Checkpoint
		k.log.Info("publish certificate", "chain", string(c.ChainID), "epoch", c.Epoch, "signers", attest.Bits(e.certificate.Signers).Count())
		return k.mesh.PublishCertificate(ctx, e.certificate)
	case keepCertificate:
		return k.keepCertificate(e.certificate)
	case keepFault:
		return k.keepFault(ctx, e)
	case release:
		k.mesh.Release(e.chain, e.epoch)
	case follow:
		k.followers[e.certificate.ChainID()].offer(e.certificate)
	case confirm:
		k.submitter.cross(e.certificate)
	case wake:
		k.submitter.wake()
	case leave:
		k.divergent.leave(e.chain, e.why)
	case investigate:
		k.divergent.investigate(e.ours, e.certificate)
	case lookAtClaims:
		k.court.inbox.put(e)
	default:
		return fmt.Errorf("unknown effect %T", e)
	}
	return nil
}

// attest signs our checkpoint of an epoch, if our key is in the set that signs it.
func (k *clerk) attest(ctx context.Context, epoch uint64) error {
	set, err := k.store.Set(k.self, epoch)
	if err != nil {
		return err
	}
	if _, member := set.Index(k.signer.Key()); !member {
		return nil
	}
	entry, err := k.store.Journal(k.self, epoch)
	if err != nil {
		return err
	}
	vote, err := signAttestation(ctx, k.signer, k.net, entry.Checkpoint)
	if errors.Is(err, guard.ErrConflict) {
		// Somebody else uses the key, or the state was rolled back behind what was
		// signed. Either way it must not go on.
		return k.stop(ctx, fmt.Sprintf("%s epoch %d: the guard holds another signature than our result asks for: %v", k.self, epoch, err))
	}
	if err != nil {
		return fmt.Errorf("sign epoch %d: %w", epoch, err)
	}
	k.metrics.signed.WithLabelValues(slotCheckpoint).Inc()
	k.log.Debug("signed checkpoint", "chain", k.self, "epoch", epoch)
	return k.tell(ctx, func(c *council, now time.Time) error { return c.attested(vote, set, now) })
}

// crossAttest signs a claim if the checkpoint that it leads to is certified and is
// what this node executed: it signs nothing that it did not run itself.
func (k *clerk) crossAttest(ctx context.Context, claim *attest.CrossClaim) error {
	peer := string(claim.Peer)
	cert, ok, err := k.store.Certificate(peer, claim.ToEpoch)
	if err != nil {
		return err
	}
	if !ok || cert.Checkpoint.Root() != claim.ToRoot || k.store.Head(peer).Epoch < claim.ToEpoch {
		k.log.Warn("claim about a checkpoint that is not ours: not signed", "peer", peer, "epoch", claim.ToEpoch)
		return nil
	}
	if began := k.store.Head(peer).Imported; claim.FromEpoch < began {
		k.log.Debug("claim about epochs before the snapshot that we began with: not signed", "peer", peer, "from", claim.FromEpoch, "snapshot", began)
		return nil
	}
	entry, err := k.store.Journal(peer, claim.ToEpoch)
	if err != nil {
		return err
	}
	if entry.Checkpoint.Root() != claim.ToRoot {
		return k.stop(ctx, fmt.Sprintf("%s epoch %d: executed %x, certified %x", peer, claim.ToEpoch, entry.Checkpoint.Root(), claim.ToRoot))
	}
	set, err := k.store.Set(k.self, claim.Epoch)
	if err != nil {
		return err
	}
	vote, err := signCrossAttestation(ctx, k.signer, k.net, claim)
	if err != nil {
		return fmt.Errorf("sign claim about %s: %w", peer, err)
	}
	k.metrics.signed.WithLabelValues(slotCross).Inc()
	k.log.Debug("signed cross-attestation", "peer", peer, "to", claim.ToEpoch)
	return k.tell(ctx, func(c *council, _ time.Time) error { return c.crossed(vote, set) })
}

func (k *clerk) keepCertificate(cert attest.VerifiedCertificate) error {
	before := k.store.Certified(cert.ChainID())
	changed, err := k.store.PutCertificate(cert)
	if err != nil {
		return err
	}
	if changed && cert.Epoch() > before {
		k.log.Info("certified", "chain", cert.ChainID(), "epoch", cert.Epoch(), "signers", cert.Signers().Count())
	}
	return nil
}

func (k *clerk) keepFault(ctx context.Context, e keepFault) error {
	added, err := k.store.PutFault(e.fault)
	if err != nil {
		return err
	}
	if added {
		k.faults.saw(e.fault.ID())
		k.metrics.faults.WithLabelValues(e.fault.ChainID(), e.fault.Kind().String()).Inc()
		k.log.Warn("fault", "kind", e.fault.Kind(), "chain", e.fault.ChainID(), "epoch", e.fault.Epoch(),
			"offenders", len(e.fault.Offenders()), "id", fmt.Sprintf("%x", e.fault.ID()), "found_here", e.made)
	}
	for _, o := range e.fault.Offenders() {
		if k.signer != nil && o.Key == k.signer.Key() {
			k.divergent.warn("our own key is convicted: is it used by another node? Stop both, and find out which signed what",
				"fault", fmt.Sprintf("%x", e.fault.ID()))
		}
	}
	k.submitter.fault(e.fault, e.reporter)
	k.court.fault(e.fault)
	if e.made {
		return k.mesh.PublishFault(ctx, e.fault.Proof())
	}
	return nil
}

// stop ends the attesting.
func (k *clerk) stop(ctx context.Context, why string) error {
	k.divergent.set(why)
	return tell(ctx, k.loop, func(c *council, _ time.Time) { c.stop(why) })
}

func (k *clerk) tell(ctx context.Context, f func(*council, time.Time) error) error {
	inner, err := ask(ctx, k.loop, f)
	if err != nil {
		return err
	}
	return inner
}
