package attest

//go:generate go tool sszgen --path slashing_objects.go --output slashing_objects_ssz.go

// EthereumSlashing proves that validators signed two contradicting votes, or one of them
// two blocks for a slot, on the beacon chain that their home chain is (DESIGN §5). Of two
// votes the first surrounds the second, or else has the smaller root, as of two headers.
// For which network, fork and domain they were signed is in none of it: that is what
// verifiers agreed on, see [Beacon].
type EthereumSlashing struct {
	ChainID        []byte   `ssz-max:"50"`
	Epoch          uint64   // that the slot, or the target of one of the votes, lies in
	ValidatorsRoot [32]byte `ssz-size:"32"` // of the set that Signers index
	First          EthereumSide
	Second         EthereumSide
}

// EthereumSide is one of the two: what was signed, by whom of the set, and the aggregate
// of all their signatures. Nobody else may be in the aggregate.
type EthereumSide struct {
	Signed    []byte   `ssz-max:"128"` // SSZ of an AttestationData, 128 bytes, or a BeaconBlockHeader, 112
	Signers   []byte   `ssz:"bitlist" ssz-max:"512"`
	Signature [96]byte `ssz-size:"96"`
}
