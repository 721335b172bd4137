package ethereum

//go:generate go tool sszgen --path objects.go --output objects_ssz.go

// The objects of the Ethereum consensus specification that slashings are made of
// (phase0 and electra, beacon-chain.md, "Containers"). Roots are 32 bytes, slots and
// epochs count from genesis.

// Most attesting indices of one attestation.
const (
	MaxAttestersPhase0  = 2048   // MAX_VALIDATORS_PER_COMMITTEE
	MaxAttestersElectra = 131072 // MAX_VALIDATORS_PER_COMMITTEE * MAX_COMMITTEES_PER_SLOT
)

// Checkpoint is an epoch and its first block.
type Checkpoint struct {
	Epoch uint64
	Root  [32]byte `ssz-size:"32"`
}

// AttestationData is what attesters sign.
type AttestationData struct {
	Slot            uint64
	Index           uint64   // of the committee; 0 since Electra
	BeaconBlockRoot [32]byte `ssz-size:"32"`
	Source          Checkpoint
	Target          Checkpoint
}

// IndexedAttestation is one vote of all AttestingIndices, as before Electra.
type IndexedAttestation struct {
	AttestingIndices []uint64 `ssz-max:"2048"`
	Data             AttestationData
	Signature        [96]byte `ssz-size:"96"` // aggregate over the signing root of Data
}

// AttesterSlashing is two votes that contradict each other, as before Electra.
type AttesterSlashing struct {
	Attestation1 IndexedAttestation
	Attestation2 IndexedAttestation
}

// IndexedAttestationElectra may span all committees of a slot. Its encoding is that
// of [IndexedAttestation]; its limit and hash tree root are not.
type IndexedAttestationElectra struct {
	AttestingIndices []uint64 `ssz-max:"131072"`
	Data             AttestationData
	Signature        [96]byte `ssz-size:"96"`
}

// AttesterSlashingElectra is [AttesterSlashing] since Electra.
type AttesterSlashingElectra struct {
	Attestation1 IndexedAttestationElectra
	Attestation2 IndexedAttestationElectra
}

// BeaconBlockHeader is what proposers sign.
type BeaconBlockHeader struct {
	Slot          uint64
	ProposerIndex uint64
	ParentRoot    [32]byte `ssz-size:"32"`
	StateRoot     [32]byte `ssz-size:"32"`
	BodyRoot      [32]byte `ssz-size:"32"`
}

// SignedBeaconBlockHeader is a header with its proposer's signature.
type SignedBeaconBlockHeader struct {
	Message   BeaconBlockHeader
	Signature [96]byte `ssz-size:"96"`
}

// ProposerSlashing is two headers of one proposer for one slot.
type ProposerSlashing struct {
	SignedHeader1 SignedBeaconBlockHeader
	SignedHeader2 SignedBeaconBlockHeader
}
