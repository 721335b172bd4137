package ledger

import (
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Link is the certificate of one epoch in a file, with the set that signed it.
type Link struct {
	Certificate HexBytes `json:"certificate"`   // canonical
	Set         HexBytes `json:"set,omitempty"` // canonical; empty: that of the link before
}

// Trail is the certificates of consecutive epochs of one chain. What its last one
// certifies can be believed by who trusts something along it, see [Trust].
type Trail []Link

// MaxTrail bounds the links of a trail.
const MaxTrail = 1 << 16

// Trust is what a trail is checked against: the first of these that is given.
//
//   - ValidatorsRoot: the set that signed the last certificate is known.
//   - Checkpoint: one of the trail's checkpoints is known.
//   - Manifest: the trail starts with epoch 1 and continues the genesis that follows
//     from the manifest. Given with another one it only names the network.
//
// The first two are as good as where they come from: keys whose stake is gone can
// sign any history.
type Trust struct {
	ValidatorsRoot *[32]byte
	Checkpoint     *CheckpointName
	Manifest       *Manifest
}

// CheckpointName names a checkpoint.
type CheckpointName struct {
	Chain string
	Epoch uint64
	Root  [32]byte
}

// String says what is trusted.
func (t Trust) String() string {
	switch {
	case t.ValidatorsRoot != nil:
		return fmt.Sprintf("the validator set %x", *t.ValidatorsRoot)
	case t.Checkpoint != nil:
		return fmt.Sprintf("the checkpoint %x of %s epoch %d", t.Checkpoint.Root, t.Checkpoint.Chain, t.Checkpoint.Epoch)
	case t.Manifest != nil:
		return fmt.Sprintf("the genesis of network %v", attest.Network(t.Manifest.ID()))
	}
	return "nothing"
}

// signedCheckpoint is a link, decoded.
type signedCheckpoint struct {
	certificate *attest.Certificate
	set         *attest.Set
}

// Verify checks that the trail leads from what is trusted to its end, and returns the
// certificate there. The error is one sentence that says which check failed.
func (t Trail) Verify(network attest.Network, chain string, trust Trust) (last attest.VerifiedCertificate, err error) {
	if m := trust.Manifest; m != nil && m.ID() != network {
		return last, fmt.Errorf("it is of network %v, the manifest of %v", network, attest.Network(m.ID()))
	}
	links, err := t.decode(chain)
	if err != nil {
		return last, err
	}
	end := links[len(links)-1]
	if last, err = attest.VerifyCertificate(network, end.set, end.certificate); err != nil {
		return last, fmt.Errorf("the certificate of epoch %d is not valid: %w", end.certificate.Checkpoint.Epoch, err)
	}
	return last, trust.leads(network, chain, links)
}

// decode reads all links, of which there is at least one.
func (t Trail) decode(chain string) ([]signedCheckpoint, error) {
	if len(t) == 0 || len(t) > MaxTrail {
		return nil, fmt.Errorf("it has %d certificates, not 1 to %d", len(t), MaxTrail)
	}
	out := make([]signedCheckpoint, len(t))
	for i, link := range t {
		c, err := attest.DecodeCertificate(link.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate %d can't be read: %w", i, err)
		}
		if string(c.Checkpoint.ChainID) != chain {
			return nil, fmt.Errorf("certificate %d is one of chain %s, not %s", i, c.Checkpoint.ChainID, chain)
		}
		out[i].certificate = c
		switch {
		case len(link.Set) > 0:
			if out[i].set, err = decodeSet(link.Set); err != nil {
				return nil, fmt.Errorf("the validator set of epoch %d can't be read: %w", c.Checkpoint.Epoch, err)
			}
		case i == 0:
			return nil, errors.New("the first certificate has no validator set")
		default:
			out[i].set = out[i-1].set
		}
	}
	return out, nil
}

// Signers is the set that signed the last certificate, as the trail has it.
func (t Trail) Signers() (*attest.Set, error) {
	for i := len(t) - 1; i >= 0; i-- {
		if len(t[i].Set) > 0 {
			return decodeSet(t[i].Set)
		}
	}
	return nil, errors.New("it has no validator set")
}

func decodeSet(b []byte) (*attest.Set, error) {
	v, err := attest.DecodeValidatorSet(b)
	if err != nil {
		return nil, err
	}
	return attest.NewSet(v)
}

// leads checks that links lead from what is trusted to the last one.
func (t Trust) leads(network attest.Network, chain string, links []signedCheckpoint) error {
	switch {
	case t.ValidatorsRoot != nil:
		if got := links[len(links)-1].set.Root(); got != *t.ValidatorsRoot {
			return fmt.Errorf("it is signed by the validator set %x, trusted is %x", got, *t.ValidatorsRoot)
		}
		return nil
	case t.Checkpoint != nil:
		if t.Checkpoint.Chain != chain {
			return fmt.Errorf("it is of chain %s, trusted is a checkpoint of %s", chain, t.Checkpoint.Chain)
		}
		for i, l := range links {
			c := &l.certificate.Checkpoint
			if c.Epoch != t.Checkpoint.Epoch {
				continue
			}
			if got := c.Root(); got != t.Checkpoint.Root {
				return fmt.Errorf("its checkpoint of epoch %d is %x, trusted is %x", c.Epoch, got, t.Checkpoint.Root)
			}
			return follow(network, attest.Trust(c), links[i+1:])
		}
		return fmt.Errorf("it has no certificate of epoch %d, which is trusted: make it with --from %d", t.Checkpoint.Epoch, t.Checkpoint.Epoch)
	case t.Manifest != nil:
		genesis, err := Genesis(t.Manifest, chain)
		if err != nil {
			return err
		}
		if first := links[0].certificate.Checkpoint.Epoch; first > 1 {
			return fmt.Errorf("its certificates begin with epoch %d, trusted is genesis: make it with --from-genesis, or trust something later", first)
		}
		return follow(network, attest.Trust(genesis.Checkpoint), links)
	}
	return errors.New("nothing is trusted that it could be checked against")
}

// follow is [attest.Follow] over all links.
func follow(network attest.Network, at attest.Trusted, links []signedCheckpoint) (err error) {
	for _, l := range links {
		if at, err = attest.Follow(network, at, l.set, l.certificate); err != nil {
			return fmt.Errorf("the certificate of epoch %d does not follow: %w", l.certificate.Checkpoint.Epoch, err)
		}
	}
	return nil
}
