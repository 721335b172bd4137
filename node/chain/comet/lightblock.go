package comet

import (
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest/comet"
)

// lightBlock is a header with its commit, as proofs are made of them. They share memory.
func lightBlock(h *types.Header, c *types.Commit) *comet.LightBlock {
	commit := &comet.Commit{Height: c.Height, Round: int64(c.Round), Block: blockID(&c.BlockID)}
	for _, s := range c.Signatures {
		commit.Signatures = append(commit.Signatures, comet.CommitSig{
			Flag: int64(s.BlockIDFlag), Address: s.ValidatorAddress, Time: s.Timestamp, Signature: s.Signature,
		})
	}
	return &comet.LightBlock{Header: header(h), Commit: commit}
}

func header(h *types.Header) *comet.Header {
	return &comet.Header{
		VersionBlock: h.Version.Block, VersionApp: h.Version.App, ChainID: h.ChainID, Height: h.Height, Time: h.Time, LastBlock: blockID(&h.LastBlockID),
		LastCommit: h.LastCommitHash, Data: h.DataHash, Validators: h.ValidatorsHash, NextValidators: h.NextValidatorsHash, Consensus: h.ConsensusHash,
		App: h.AppHash, LastResults: h.LastResultsHash, Evidence: h.EvidenceHash, Proposer: h.ProposerAddress,
	}
}

func blockID(b *types.BlockID) comet.BlockID {
	return comet.BlockID{Hash: b.Hash, PartsTotal: int64(b.PartSetHeader.Total), PartsHash: b.PartSetHeader.Hash}
}
