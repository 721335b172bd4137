package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// handler judges what the mesh brings (DESIGN §6), from cheap to dear: the council
// says whether it can be of use at all, then the signature is verified, then the
// council takes it. It has no state; it runs in the mesh's goroutines.
type handler struct {
	law      attest.Law
	manifest *ledger.Manifest
	store    *store.Store
	loop     *loop
	votes    *p2p.Batcher[[32]byte, *voteItem]
	crosses  *p2p.Batcher[[32]byte, *crossItem]
}

var _ p2p.Handler = (*handler)(nil)

// voteItem is a candidate in a batch, and what became of it.
type voteItem struct {
	candidate attest.CandidateVote
	verified  attest.VerifiedVote
}

type crossItem struct {
	candidate attest.CandidateCrossVote
	verified  attest.VerifiedCrossVote
}

func newHandler(m *ledger.Manifest, s *store.Store, l *loop) *handler {
	return &handler{
		law: m.Law(), manifest: m, store: s, loop: l,
		votes: p2p.NewBatcher[[32]byte](func(items []*voteItem) []error {
			candidates := make([]attest.CandidateVote, len(items))
			for i, item := range items {
				candidates[i] = item.candidate
			}
			votes, errs := attest.VerifyCandidates(candidates)
			for i, v := range votes {
				items[i].verified = v
			}
			return errs
		}),
		crosses: p2p.NewBatcher[[32]byte](func(items []*crossItem) []error {
			candidates := make([]attest.CandidateCrossVote, len(items))
			for i, item := range items {
				candidates[i] = item.candidate
			}
			votes, errs := attest.VerifyCrossCandidates(candidates)
			for i, v := range votes {
				items[i].verified = v
			}
			return errs
		}),
	}
}

// close ends the batches; the mesh has stopped calling by then.
func (h *handler) close() {
	h.votes.Close()
	h.crosses.Close()
}

// Vote judges an attestation.
func (h *handler) Vote(ctx context.Context, _ peer.ID, a *attest.Attestation) p2p.Finding {
	chain, epoch, root := string(a.Checkpoint.ChainID), a.Checkpoint.Epoch, a.Checkpoint.Root()
	look, err := ask(ctx, h.loop, func(c *council, _ time.Time) look {
		return c.seen(c.lookVote(chain, epoch, a.Signer, root), &a.Checkpoint)
	})
	if err != nil || !look.further() {
		return look.answer(err)
	}
	set, seed, err := h.bring(chain, epoch, look.finding)
	if err != nil {
		return unknownSet(err)
	}
	candidate, err := attest.CheckAttestation(h.law.Network(), set, a)
	if err != nil {
		return look.blame(err)
	}
	item := &voteItem{candidate: candidate}
	if err := h.votes.Verify(ctx, root, item); err != nil {
		return look.blame(err)
	}
	f, err := ask(ctx, h.loop, func(c *council, now time.Time) finding { return c.vote(item.verified, set, seed, now) })
	return answer(f, err)
}

// CrossVote judges a cross-attestation.
func (h *handler) CrossVote(ctx context.Context, _ peer.ID, a *attest.CrossAttestation) p2p.Finding {
	chain, epoch := string(a.Claim.ChainID), a.Claim.Epoch
	f, err := ask(ctx, h.loop, func(c *council, _ time.Time) finding {
		if c.chambers[string(a.Claim.Peer)] == nil {
			return foreign
		}
		return c.lookCross(chain, epoch)
	})
	if err != nil || f != goOn {
		return answer(f, err)
	}
	set, err := h.store.Set(chain, epoch)
	if err != nil {
		return unknownSet(err)
	}
	candidate, err := attest.CheckCrossAttestation(h.law.Network(), set, a)
	if err != nil {
		return p2p.Found(p2p.ConditionOf(err))
	}
	item := &crossItem{candidate: candidate}
	if err := h.crosses.Verify(ctx, a.Claim.Root(), item); err != nil {
		return p2p.Found(p2p.ConditionOf(err))
	}
	f, err = ask(ctx, h.loop, func(c *council, _ time.Time) finding { return c.crossVote(item.verified, set) })
	return answer(f, err)
}

// Certificate judges a certificate.
func (h *handler) Certificate(ctx context.Context, _ peer.ID, cert *attest.Certificate) p2p.Finding {
	chain, epoch, root := string(cert.Checkpoint.ChainID), cert.Checkpoint.Epoch, cert.Checkpoint.Root()
	signers := attest.Bits(cert.Signers).Count()
	look, err := ask(ctx, h.loop, func(c *council, _ time.Time) look {
		return c.seen(c.lookCertificate(chain, epoch, root, signers), &cert.Checkpoint)
	})
	if err != nil || !look.further() {
		return look.answer(err)
	}
	set, seed, err := h.bring(chain, epoch, look.finding)
	if err != nil {
		return unknownSet(err)
	}
	verified, err := attest.VerifyCertificate(h.law.Network(), set, cert)
	if err != nil {
		return look.blame(err)
	}
	f, err := ask(ctx, h.loop, func(c *council, now time.Time) finding { return c.certificate(verified, set, seed, now) })
	return answer(f, err)
}

// Fault judges a proof.
func (h *handler) Fault(ctx context.Context, _ peer.ID, proof *attest.FaultProof) p2p.Finding {
	accusation, err := attest.Peek(proof)
	if err != nil {
		return p2p.Found(p2p.ConditionOf(err))
	}
	if h.manifest.Misplaced(accusation) {
		return p2p.Found(p2p.NoFault)
	}
	if _, have, err := h.store.Fault(proof.ID()); err != nil {
		return p2p.Found(p2p.InternalError)
	} else if have {
		return p2p.Found(p2p.Duplicate)
	}
	set, err := h.store.Set(accusation.ChainID, accusation.Epoch)
	switch {
	case errors.Is(err, store.ErrUnknownChain):
		return p2p.Found(p2p.WrongNetwork)
	case errors.Is(err, store.ErrNotFound):
		return p2p.Wait(p2p.UnknownSet, accusation.ChainID, accusation.Epoch)
	case errors.Is(err, store.ErrPruned):
		return p2p.Found(p2p.TooOld) // from before the snapshot that we began with
	case err != nil:
		return p2p.Found(p2p.InternalError)
	}
	f, err := ask(ctx, h.loop, func(c *council, _ time.Time) finding { return c.lookFault(accusation, set, len(proof.Body)) })
	if err != nil || f != goOn {
		return answer(f, err)
	}
	verified, err := attest.VerifyFault(h.law, set, proof)
	if err != nil {
		return p2p.Found(p2p.ConditionOf(err))
	}
	f, err = ask(ctx, h.loop, func(c *council, _ time.Time) finding { return c.fault(verified) })
	return answer(f, err)
}

// bring fetches what is needed to verify something of an epoch: its set, and its
// certificate where the council asks for it.
func (h *handler) bring(chain string, epoch uint64, f finding) (*attest.Set, *attest.VerifiedCertificate, error) {
	set, err := h.store.Set(chain, epoch)
	if err != nil || f != needSeed {
		return set, nil, err
	}
	cert, ok, err := h.store.Certificate(chain, epoch)
	if err != nil || !ok {
		return set, nil, err
	}
	verified, err := attest.VerifyCertificate(h.law.Network(), set, cert)
	if err != nil {
		return nil, nil, err
	}
	return set, &verified, nil
}

// look is what the council says before the signature is verified.
type look struct {
	finding finding
	// The set by which the signature is judged is the one that the checkpoint's
	// parent committed to. Without it, what is wrong may be wrong on our side.
	certain bool
}

// seen completes a look at a checkpoint.
func (c *council) seen(f finding, checkpoint *attest.Checkpoint) look {
	if f != goOn && f != needSeed {
		return look{f, false}
	}
	parent, ok := c.parent(string(checkpoint.ChainID), checkpoint.Epoch)
	return look{f, ok && parent == checkpoint.Parent}
}

func (l look) further() bool { return l.finding == goOn || l.finding == needSeed }

func (l look) answer(err error) p2p.Finding { return answer(l.finding, err) }

// blame translates an error of a verification; where we may be the ones who are
// wrong, nobody is blamed.
func (l look) blame(err error) p2p.Finding {
	condition := p2p.ConditionOf(err)
	if condition.Verdict() == p2p.Reject && !l.certain {
		condition = p2p.OtherBranch
	}
	return p2p.Found(condition)
}

// conditions says what the mesh calls the council's findings.
var conditions = map[finding]p2p.Condition{
	taken:      p2p.Accepted,
	known:      p2p.Duplicate,
	useless:    p2p.NothingNew,
	ahead:      p2p.Ahead,
	tooOld:     p2p.TooOld,
	secondVote: p2p.SecondVote,
	foreign:    p2p.OtherBranch,
}

func answer(f finding, err error) p2p.Finding {
	if err != nil {
		return p2p.Found(p2p.ConditionOf(err))
	}
	condition, ok := conditions[f]
	if !ok {
		return p2p.Found(p2p.InternalError)
	}
	return p2p.Found(condition)
}

func unknownSet(err error) p2p.Finding {
	if errors.Is(err, store.ErrPruned) {
		return p2p.Found(p2p.TooOld)
	}
	if errors.Is(err, store.ErrNotFound) {
		return p2p.Found(p2p.UnknownSet)
	}
	return p2p.Found(p2p.InternalError)
}
