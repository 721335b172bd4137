package ethereum

// Vote is what of an attestation decides whether it contradicts another.
type Vote struct {
	Source, Target uint64   // epochs
	Root           [32]byte // of all that was signed
}

// Vote is d's.
func (d *AttestationData) Vote() Vote { return Vote{d.Source.Epoch, d.Target.Epoch, d.Root()} }

// Doubles reports whether v and o are two votes for one target epoch.
func (v Vote) Doubles(o Vote) bool { return v.Root != o.Root && v.Target == o.Target }

// Surrounds reports whether v is around o. With [Vote.Doubles] it is the
// specification's is_slashable_attestation_data(v, o), which is not symmetric.
func (v Vote) Surrounds(o Vote) bool { return v.Source < o.Source && o.Target < v.Target }
