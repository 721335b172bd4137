package attest_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/bls"
)

// beaconLaw is that of a network whose chain testChain is a beacon chain: an epoch of the
// ledger has two of its epochs of 8 slots, the first begins at epoch 10, and there is a
// fork at epoch 20.
type beaconLaw struct {
	attest.Law
	beacon *attest.Beacon
}

func (l beaconLaw) Beacon(chain string) *attest.Beacon {
	if chain == testChain {
		return l.beacon
	}
	return nil
}

func testBeacon() *attest.Beacon {
	return &attest.Beacon{
		Chain: ethereum.Chain{
			GenesisValidatorsRoot: sha256.Sum256([]byte("genesis validators")),
			Forks:                 []ethereum.Fork{{Version: [4]byte{4, 0, 0, 0}}, {Epoch: 20, Version: [4]byte{5, 0, 0, 0}}},
			SlotsPerEpoch:         8,
		},
		FirstSlot: 80, EpochSlots: 16,
	}
}

func testLaw() beaconLaw { return beaconLaw{testNet, testBeacon()} }

// beaconCast is a cast whose validators, in the order of the set, have the keys
// ethereumKey(0), (1), … on the beacon chain.
func beaconCast(t tb, n int) *cast {
	t.Helper()
	c := equalCast(t, n)
	return c.withConsensusKeys(t, func(i int) attest.ConsensusKey { return attest.Ethereum(ethereumKey(t, i)).Public() })
}

func (c *cast) withConsensusKeys(t tb, key func(i int) attest.ConsensusKey) *cast {
	t.Helper()
	v := c.set.ValidatorSet()
	for i := range v.Validators {
		v.Validators[i].ConsensusKey = key(i)
	}
	return &cast{keys: c.keys, set: must[*attest.Set](t)(attest.NewSet(v))}
}

// The twin of what a beacon chain's validators sign, written from the specification.

func chunk(n uint64) (c [32]byte) {
	for i := range 8 {
		c[i] = byte(n >> (8 * i))
	}
	return c
}

// beaconMerkle is the root of chunks, padded with zeroes to a power of two.
func beaconMerkle(chunks ...[32]byte) [32]byte {
	for len(chunks)&(len(chunks)-1) != 0 {
		chunks = append(chunks, [32]byte{})
	}
	for len(chunks) > 1 {
		var level [][32]byte
		for i := 0; i < len(chunks); i += 2 {
			level = append(level, sha256.Sum256(append(bytes.Clone(chunks[i][:]), chunks[i+1][:]...)))
		}
		chunks = level
	}
	return chunks[0]
}

func beaconMessage(kind byte, version [4]byte, genesis, root [32]byte) [32]byte {
	fork := beaconMerkle([32]byte{version[0], version[1], version[2], version[3]}, genesis)
	domain := [32]byte{kind}
	copy(domain[4:], fork[:28])
	return beaconMerkle(root, domain)
}

func twinVersion(epoch uint64) [4]byte {
	if epoch < 20 {
		return [4]byte{4, 0, 0, 0}
	}
	return [4]byte{5, 0, 0, 0}
}

func voteMessage(d *ethereum.AttestationData) [32]byte {
	root := beaconMerkle(chunk(d.Slot), chunk(d.Index), d.BeaconBlockRoot,
		beaconMerkle(chunk(d.Source.Epoch), d.Source.Root), beaconMerkle(chunk(d.Target.Epoch), d.Target.Root))
	return beaconMessage(1, twinVersion(d.Target.Epoch), sha256.Sum256([]byte("genesis validators")), root)
}

func blockMessage(h *ethereum.BeaconBlockHeader) [32]byte {
	root := beaconMerkle(chunk(h.Slot), chunk(h.ProposerIndex), h.ParentRoot, h.StateRoot, h.BodyRoot)
	return beaconMessage(0, twinVersion(h.Slot/8), sha256.Sum256([]byte("genesis validators")), root)
}

func beaconVote(source, target uint64, variant string) *ethereum.AttestationData {
	return &ethereum.AttestationData{
		Slot: target*8 + 3, BeaconBlockRoot: sha256.Sum256([]byte(variant)),
		Source: ethereum.Checkpoint{Epoch: source, Root: sha256.Sum256(fmt.Appendf(nil, "checkpoint %d", source))},
		Target: ethereum.Checkpoint{Epoch: target, Root: sha256.Sum256(fmt.Appendf(nil, "checkpoint %d", target))},
	}
}

func beaconBlock(slot, proposer uint64, variant string) *ethereum.BeaconBlockHeader {
	return &ethereum.BeaconBlockHeader{
		Slot: slot, ProposerIndex: proposer, ParentRoot: sha256.Sum256([]byte("parent")),
		StateRoot: sha256.Sum256([]byte("state" + variant)), BodyRoot: sha256.Sum256([]byte("body" + variant)),
	}
}

func sum(t tb, message [32]byte, keys ...bls.SecretKey) [96]byte {
	t.Helper()
	var all []bls.Signature
	for _, key := range keys {
		all = append(all, key.Sign(message[:]))
	}
	return must[bls.Signature](t)(bls.Aggregate(all)).Bytes()
}

func bitsOf(n int, who ...int) attest.Bits {
	bits := attest.NewBits(n)
	for _, i := range who {
		bits.Set(i)
	}
	return bits
}

// voted is a vote of members of a set of n with the keys of beaconCast.
func voted(t tb, n int, d *ethereum.AttestationData, who ...int) attest.EthereumSide {
	t.Helper()
	var keys []bls.SecretKey
	for _, i := range who {
		keys = append(keys, ethereumKey(t, i))
	}
	return attest.EthereumSide{
		Signed: must[[]byte](t)(d.MarshalSSZ()), Signers: bitsOf(n, who...), Signature: sum(t, voteMessage(d), keys...),
	}
}

func proposed(t tb, n int, h *ethereum.BeaconBlockHeader, who int) attest.EthereumSide {
	t.Helper()
	return attest.EthereumSide{
		Signed: must[[]byte](t)(h.MarshalSSZ()), Signers: bitsOf(n, who), Signature: sum(t, blockMessage(h), ethereumKey(t, who)),
	}
}

// The slashings that tests begin with, in a set of 4. Targets 12 and 13 are of the
// ledger's epoch 2, as slots 96 to 111 are; 20 is of epoch 6.

func slashedVotes(t tb) attest.EthereumSlashing {
	return attest.EthereumSlashing{
		ChainID: []byte(testChain), Epoch: 2,
		First: voted(t, 4, beaconVote(11, 12, "a"), 0, 1, 2), Second: voted(t, 4, beaconVote(11, 12, "b"), 1, 2, 3),
	}
}

func slashedSurround(t tb) attest.EthereumSlashing {
	return attest.EthereumSlashing{
		ChainID: []byte(testChain), Epoch: 6,
		First: voted(t, 4, beaconVote(11, 20, "a"), 0, 1), Second: voted(t, 4, beaconVote(12, 13, "a"), 1, 2),
	}
}

func slashedBlocks(t tb) attest.EthereumSlashing {
	return attest.EthereumSlashing{
		ChainID: []byte(testChain), Epoch: 2,
		First: proposed(t, 4, beaconBlock(111, 77, "a"), 3), Second: proposed(t, 4, beaconBlock(111, 77, "b"), 3),
	}
}

func (c *cast) slashing(t tb, e attest.EthereumSlashing) *attest.FaultProof {
	t.Helper()
	return must[*attest.FaultProof](t)(attest.BuildEthereumSlashing(c.set, e))
}
