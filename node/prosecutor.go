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
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// prosecutor proves that a certified epoch is wrong (DESIGN §5): first to those who
// certified it, from the transcript that they committed to, and then to the validators
// of other chains who claim to have executed it. Everybody who executes an epoch and
// comes to something else calls accuse, in its own goroutine; the claims are looked
// through in the prosecutor's.
type prosecutor struct {
	law      attest.Law
	manifest *ledger.Manifest
	store    *store.Store
	mesh     *p2p.Node
	loop     *loop
	log      *slog.Logger

	inbox   *mailbox[any]                                 // attest.VerifiedFault, attest.VerifiedCertificate or lookAtClaims
	refuted map[attest.Refuted]*attest.Transition         // what is proven to be wrong, and how
	signed  map[attest.Refuted]attest.VerifiedCertificate // the one of it with most signers that was not proven
	accused map[[32]byte]map[[48]byte]bool                // by root of a checkpoint or claim: whom a proof was made against
}

// claimsWait is how long others may still join a claim before a proof is made of it.
const claimsWait = time.Second

func newProsecutor(m *ledger.Manifest, law attest.Law, s *store.Store, l *loop, log *slog.Logger) *prosecutor {
	return &prosecutor{
		law: law, manifest: m, store: s, loop: l, log: log, inbox: newMailbox[any](),
		refuted: make(map[attest.Refuted]*attest.Transition), signed: make(map[attest.Refuted]attest.VerifiedCertificate), accused: make(map[[32]byte]map[[48]byte]bool),
	}
}

// errNotCertified says that what a peer brought is not the transcript that was certified.
var errNotCertified = errors.New("not the certified transcript")

// accuse compares a certified epoch with its own transcript, as a peer has brought it in
// an entry whose other parts may be anything, and publishes the proof if it is wrong.
// previous is the checkpoint before it, and tree the state there. It returns how it is
// wrong. Errors: [errNotCertified], those of [ledger.FindBreach], and the context's.
func (p *prosecutor) accuse(ctx context.Context, cert attest.VerifiedCertificate, previous *attest.Checkpoint, tree *trie.Tree, entry *store.Entry) (string, error) {
	certified := cert.Checkpoint()
	if entry.Transcript == nil {
		return "", errNotCertified
	}
	if root, err := entry.Transcript.HashTreeRoot(); err != nil || root != certified.OpsRoot {
		return "", errNotCertified
	}
	var operations map[[32]byte][]byte
	if entry.Input != nil {
		operations = entry.Input.Operations()
	}
	evidence, err := ledger.FindBreach(p.manifest, previous, certified, tree, entry.Transcript, operations)
	if err != nil {
		return "", err
	}
	proof, err := attest.BuildTransition(previous, cert.Certificate(), evidence)
	if err != nil {
		return "", err
	}
	set, err := p.store.Set(cert.ChainID(), cert.Epoch())
	if err != nil {
		return "", err
	}
	if err := p.charge(ctx, set, proof); err != nil {
		return "", err
	}
	return fmt.Sprintf("epoch %d is proven to be wrong by fault %x: %s", cert.Epoch(), proof.ID(), ledger.DescribeBreach(evidence)), nil
}

// charge verifies a proof and hands it to the council, which keeps and publishes it.
func (p *prosecutor) charge(ctx context.Context, set *attest.Set, proof *attest.FaultProof) error {
	verified, err := attest.VerifyFault(p.law, set, proof)
	if err != nil {
		return err
	}
	return tell(ctx, p.loop, func(c *council, _ time.Time) { c.report(verified, ledger.AccountID{}, false) })
}

// fault takes a proof that this node keeps, whoever made it.
func (p *prosecutor) fault(f attest.VerifiedFault) {
	if f.Kind() == attest.FaultInvalidTransition {
		p.inbox.put(f)
	}
}

// certificate takes one that came when its chain was no longer followed: there may be
// more signers in it than in the one which was proven to be wrong.
func (p *prosecutor) certificate(c attest.VerifiedCertificate) { p.inbox.put(c) }

func (p *prosecutor) run(ctx context.Context) {
	for ctx.Err() == nil {
		peers := make(map[string]bool)
		for _, item := range p.inbox.take(ctx) {
			switch item := item.(type) {
			case attest.VerifiedFault:
				peers[item.Refutes().ChainID] = p.remember(ctx, item) || peers[item.Refutes().ChainID]
			case attest.VerifiedCertificate:
				at := attest.Refuted{ChainID: item.ChainID(), Epoch: item.Epoch(), Root: item.Root()}
				if old := p.signed[at]; old.IsZero() || old.Signers().Count() < item.Signers().Count() {
					p.signed[at] = item
				}
			case lookAtClaims:
				peers[item.peer] = true
			}
		}
		if pause(ctx, claimsWait) != nil {
			return
		}
		for refutes, cert := range p.signed {
			if err := p.further(ctx, refutes, cert); err != nil && ctx.Err() == nil {
				p.log.Warn("a certificate can't be refuted", "chain", refutes.ChainID, "epoch", refutes.Epoch, "error", err)
			}
		}
		for peer, look := range peers {
			if look {
				p.claims(ctx, peer)
			}
		}
	}
}

// remember keeps the evidence of a proof, and whom it accuses, and says whether the
// evidence was new.
func (p *prosecutor) remember(ctx context.Context, f attest.VerifiedFault) bool {
	refutes := f.Refutes()
	body, err := attest.DecodeTransition(f.Proof().Body)
	if err != nil {
		return false // it was verified: it can be read
	}
	signed := refutes.Root
	if len(body.Claim) > 0 {
		signed = body.Claim[0].Root()
	}
	for _, o := range f.Offenders() {
		p.accuses(signed)[o.Key] = true
	}
	if p.refuted[refutes] != nil {
		return false
	}
	p.refuted[refutes] = body
	// The error is the context's.
	_ = tell(ctx, p.loop, func(c *council, _ time.Time) { c.suspects[refutes.ChainID] = true })
	return true
}

// accuses is who was accused of having signed a checkpoint or claim.
func (p *prosecutor) accuses(root [32]byte) map[[48]byte]bool {
	if p.accused[root] == nil {
		p.accused[root] = make(map[[48]byte]bool)
	}
	return p.accused[root]
}

// further makes a proof of a certificate whose checkpoint is proven to be wrong, if it
// has signers who were not accused.
func (p *prosecutor) further(ctx context.Context, refutes attest.Refuted, cert attest.VerifiedCertificate) error {
	body := p.refuted[refutes]
	if body == nil {
		return nil // what came is not what was proven to be wrong, or is not yet
	}
	delete(p.signed, refutes)
	set, err := p.store.Set(refutes.ChainID, refutes.Epoch)
	if err != nil {
		return err
	}
	known, fresh := p.accuses(refutes.Root), false
	for i := range cert.Signers().Ones() {
		fresh = fresh || !known[set.At(i).Key]
	}
	if !fresh {
		return nil
	}
	proof, err := attest.BuildTransition(&body.Previous, cert.Certificate(), body.Evidence)
	if err != nil {
		return err
	}
	return p.charge(ctx, set, proof)
}

// claims makes proofs of what was claimed about the wrong epochs of a chain.
func (p *prosecutor) claims(ctx context.Context, peer string) {
	all, err := ask(ctx, p.loop, func(c *council, _ time.Time) []claimed { return c.claimsAbout(peer) })
	if err != nil {
		return
	}
	for _, c := range all {
		for refutes, body := range p.refuted {
			if refutes.ChainID != peer || c.claim.FromEpoch >= refutes.Epoch || c.claim.ToEpoch < refutes.Epoch {
				continue
			}
			if err := p.prosecute(ctx, c, refutes, body); err != nil && ctx.Err() == nil {
				p.log.Debug("a claim can't be refuted", "chain", string(c.claim.ChainID), "peer", peer, "epoch", refutes.Epoch, "error", err)
			}
		}
	}
}

// prosecute makes the proof that a claim covers a wrong epoch, against those who were
// not accused of it before.
func (p *prosecutor) prosecute(ctx context.Context, c claimed, refutes attest.Refuted, body *attest.Transition) error {
	known := p.accuses(c.claim.Root())
	var votes []*attest.CrossAttestation
	for _, v := range c.votes {
		if !known[v.Signer] {
			votes = append(votes, v)
		}
	}
	if len(votes) == 0 {
		return nil
	}
	set, err := p.store.Set(string(c.claim.ChainID), c.claim.Epoch)
	if err != nil {
		return err
	}
	together, err := attest.TogetherCross(set, votes)
	if err != nil {
		return err
	}
	later, err := p.later(ctx, refutes, c.claim)
	if err != nil {
		return err
	}
	proof, err := body.Covering(set, together, later)
	if err != nil {
		return err
	}
	if err := p.charge(ctx, set, proof); err != nil {
		return err
	}
	for _, v := range votes {
		known[v.Signer] = true
	}
	return nil
}

// later brings the checkpoints from a wrong one to the one that a claim names, from
// whoever has certificates of them. Only their hashes count.
func (p *prosecutor) later(ctx context.Context, refutes attest.Refuted, claim *attest.CrossClaim) ([]*attest.Checkpoint, error) {
	if claim.ToRoot == refutes.Root {
		return nil, nil
	}
	n := claim.ToEpoch - refutes.Epoch
	if n == 0 || n > attest.MaxLater {
		return nil, errors.New("it is about another branch, or leads too far")
	}
	for _, from := range p.mesh.SyncPeers() {
		var chain []*attest.Checkpoint
		for uint64(len(chain)) < n {
			certs, err := p.mesh.FetchCertificates(ctx, from, refutes.ChainID, refutes.Epoch+1+uint64(len(chain)), min(int(n)-len(chain), p2p.MaxPage))
			if err != nil || len(certs) == 0 {
				break
			}
			for _, c := range certs {
				chain = append(chain, &c.Checkpoint)
			}
		}
		if uint64(len(chain)) == n && chain[n-1].Root() == claim.ToRoot && chain[0].Parent == refutes.Root {
			return chain, nil
		}
	}
	return nil, errors.New("nobody shows the checkpoints between it and the claim")
}
