package ledger_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// provenMesh is a mesh of two chains with some epochs and a slash, and a proof from
// genesis about records that are there and records that are not.
var provenMesh = sync.OnceValues(func() (*ledgertest.Mesh, *ledger.Proof) {
	m, err := ledgertest.Play(ledgertest.New(2, 3, nil))
	if err != nil {
		panic(err)
	}
	for range 5 {
		for _, c := range m.Chains {
			ops, err := m.Relay(c.ID)
			if err == nil {
				_, err = m.Epoch(c.ID, ops...)
			}
			if err != nil {
				panic(err)
			}
		}
	}
	v := m.Chains[0].Validators[0].ID.String()
	p, err := prove(m, "alpha", 1, 4, "meta", "account/"+v, "lien/"+v+"/alpha", "peer/beta", "offender/beta/"+v, "set")
	if err != nil {
		panic(err)
	}
	return m, p
})

// prove makes a proof of records at an epoch, with the certificates from another on.
func prove(m *ledgertest.Mesh, chain string, from, epoch uint64, names ...string) (*ledger.Proof, error) {
	id := m.Manifest.ID()
	p := &ledger.Proof{Format: ledger.ProofFormat, Network: id[:], Chain: chain, Epoch: epoch}
	for _, name := range names {
		key, err := ledger.ParseKey(name)
		if err != nil {
			return nil, err
		}
		r, err := ledger.ProveRecord(m.TreeAt(chain, epoch), key)
		if err != nil {
			return nil, err
		}
		p.Records = append(p.Records, r)
	}
	var err error
	p.Trail, err = m.Trail(chain, from, epoch)
	return p, err
}

// copied is a deep copy.
func copied(t testing.TB, p *ledger.Proof) *ledger.Proof {
	t.Helper()
	b, err := p.Encode()
	must(t, err)
	q, err := ledger.DecodeProof(b)
	must(t, err)
	return q
}

func TestProofsAreVerifiedFromWhateverIsTrusted(t *testing.T) {
	m, p := provenMesh()
	at := func(epoch uint64) *ledger.CheckpointName {
		return &ledger.CheckpointName{Chain: "alpha", Epoch: epoch, Root: m.Past("alpha", epoch).Checkpoint.Root()}
	}
	set := m.Set("alpha", 4).Root()
	for _, trust := range []ledger.Trust{
		{Manifest: m.Manifest}, {Checkpoint: at(1)}, {Checkpoint: at(3)}, {Checkpoint: at(4)}, {ValidatorsRoot: &set},
		{ValidatorsRoot: &set, Manifest: m.Manifest}, {Checkpoint: at(2), Manifest: m.Manifest},
	} {
		c, err := copied(t, p).Verify(trust)
		if err != nil || c.Root() != m.Past("alpha", 4).Checkpoint.Root() {
			t.Errorf("trusting %v: %v", trust, err)
		}
	}
	for _, r := range p.Records {
		if r.Present == strings.HasPrefix(r.Name, "offender/") {
			t.Errorf("%s: present is %t", r.Name, r.Present)
		}
		if !r.Present {
			continue
		}
		if _, err := ledger.Describe(r.Key, r.Value); err != nil {
			t.Error(err)
		}
	}
}

// Each way to falsify a proof is found, and named in one sentence.
func TestFalsifiedProofsSayWhichCheckFailed(t *testing.T) {
	m, good := provenMesh()
	set := m.Set("alpha", 4).Root()
	genesis := ledger.Trust{Manifest: m.Manifest}
	other := ledgertest.New(2, 3, func(m *ledger.Manifest) { m.Name = "other" })
	lone := func(p *ledger.Proof) { // fewer signers than a quorum, whose signature is good
		c := *m.Certificate("alpha", 4)
		bits := attest.NewBits(3)
		bits.Set(0)
		a, err := attest.SignAttestation(signerOf(m, "alpha", 4, 0), m.ID, &c.Checkpoint)
		must(t, err)
		c.Signers, c.Signature = bits, a.Signature
		p.Trail[3].Certificate, err = attest.EncodeCertificate(&c)
		must(t, err)
	}
	for _, tc := range []struct {
		name    string
		trust   ledger.Trust
		falsify func(*ledger.Proof)
		want    string
	}{
		{"nothing trusted", ledger.Trust{}, func(*ledger.Proof) {}, "nothing is trusted"},
		{"another network", ledger.Trust{Manifest: other.Manifest}, func(*ledger.Proof) {}, "it is of network"},
		{"a changed network", ledger.Trust{ValidatorsRoot: &set}, func(p *ledger.Proof) { p.Network[0] ^= 1 }, "is not valid: attest: signature"},
		{"a short network", genesis, func(p *ledger.Proof) { p.Network = p.Network[1:] }, "the network id has 31 bytes"},
		{"another chain", genesis, func(p *ledger.Proof) { p.Chain = "beta" }, "is one of chain alpha, not beta"},
		{"another epoch", genesis, func(p *ledger.Proof) { p.Epoch++ }, "that of epoch 4, not 5"},
		{"no quorum", genesis, lone, "attest: quorum"},
		{"no trail", genesis, func(p *ledger.Proof) { p.Trail = nil }, "it has 0 certificates"},
		{"a gap", genesis, func(p *ledger.Proof) { p.Trail = slices.Delete(p.Trail, 1, 2) }, "epoch 3 does not follow: attest: ahead"},
		{"a late start", genesis, func(p *ledger.Proof) { p.Trail[1].Set, p.Trail = p.Trail[0].Set, p.Trail[1:] }, "begin with epoch 2, trusted is genesis"},
		{"no set", genesis, func(p *ledger.Proof) { p.Trail[0].Set = nil }, "no validator set"},
		{"another set", genesis, func(p *ledger.Proof) {
			b, err := m.Trail("beta", 1, 1)
			must(t, err)
			p.Trail[0].Set = b[0].Set
		}, "attest: signature"},
		{"an untrusted set", ledger.Trust{ValidatorsRoot: &[32]byte{1}}, func(*ledger.Proof) {}, "trusted is 01000000"},
		{"an untrusted checkpoint", ledger.Trust{Checkpoint: &ledger.CheckpointName{Chain: "alpha", Epoch: 2}}, func(*ledger.Proof) {}, "checkpoint of epoch 2 is"},
		{"a checkpoint elsewhere", ledger.Trust{Checkpoint: &ledger.CheckpointName{Chain: "beta", Epoch: 2}}, func(*ledger.Proof) {}, "of chain alpha, trusted is a checkpoint of beta"},
		{"a checkpoint not there", ledger.Trust{Checkpoint: &ledger.CheckpointName{Chain: "alpha", Epoch: 9}}, func(*ledger.Proof) {}, "no certificate of epoch 9"},
		{"a cut certificate", genesis, func(p *ledger.Proof) { p.Trail[2].Certificate = p.Trail[2].Certificate[1:] }, "certificate 2 can't be read"},
		{"a swapped value", genesis, func(p *ledger.Proof) { p.Records[1].Value[0] ^= 1 }, "value is not the one that is proven"},
		{"another record's proof", genesis, func(p *ledger.Proof) { p.Records[1].Proof, p.Records[1].Value = p.Records[0].Proof, p.Records[0].Value }, "does not lead to the certified ledger root"},
		{"another key", genesis, func(p *ledger.Proof) { p.Records[1].Key = p.Records[0].Key }, "its key is not that of its name"},
		{"another name", genesis, func(p *ledger.Proof) { p.Records[1].Name, p.Records[1].Key = "faults", []byte("faults") }, "does not lead to the certified ledger root"},
		{"presence denied", genesis, func(p *ledger.Proof) { p.Records[0].Present, p.Records[0].Value = false, nil }, "present is false, proven is true"},
		{"presence claimed", genesis, func(p *ledger.Proof) { p.Records[4].Present = true }, "present is true, proven is false"},
		{"a name of nothing", genesis, func(p *ledger.Proof) { p.Records[0].Name = "mata" }, "is not the name of a record"},
		{"a cut proof", genesis, func(p *ledger.Proof) { p.Records[0].Proof = p.Records[0].Proof[1:] }, "can't be read"},
		{"no records", genesis, func(p *ledger.Proof) { p.Records = nil }, "about 0 records"},
	} {
		p := copied(t, good)
		tc.falsify(p)
		_, err := p.Verify(tc.trust)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestProofFilesHaveOneForm(t *testing.T) {
	_, p := provenMesh()
	good, err := p.Encode()
	must(t, err)
	var compact bytes.Buffer
	must(t, json.Compact(&compact, good))
	for name, b := range map[string][]byte{
		"compact":  compact.Bytes(),
		"trailing": append(slices.Clone(good), '\n'),
		"cut":      good[:len(good)-3],
		"extended": bytes.Replace(good, []byte("{"), []byte("{\n  \"more\": 1,"), 1),
		"twice":    bytes.Replace(good, []byte("{"), []byte("{\n  \"epoch\": 7,"), 1),
		"capitals": bytes.Replace(good, []byte(`"epoch"`), []byte(`"Epoch"`), 1),
		"version":  bytes.Replace(good, []byte("proof/1"), []byte("proof/2"), 1),
		"empty":    nil,
		"null":     []byte("null\n"),
		"large":    bytes.Repeat([]byte(" "), ledger.MaxProofFile+1),
	} {
		if _, err := ledger.DecodeProof(b); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// signerOf is the key of a validator by its place in the set of an epoch.
func signerOf(m *ledgertest.Mesh, chain string, epoch uint64, place int) attest.Signer {
	for _, c := range m.Chains {
		for _, v := range c.Validators {
			if c.ID == chain && v.ID == m.Set(chain, epoch).At(place).Account {
				return v.Key
			}
		}
	}
	panic("no such validator")
}

// FuzzProof: whatever comes in, what verifies is what the ledger held.
func FuzzProof(f *testing.F) {
	m, good := provenMesh()
	for _, change := range []func(*ledger.Proof){
		func(*ledger.Proof) {},
		func(p *ledger.Proof) { p.Records = p.Records[:0] },
		func(p *ledger.Proof) { p.Trail[0].Set = nil },
		func(p *ledger.Proof) { p.Records[0].Present, p.Records[0].Value = false, nil },
	} {
		p := copied(f, good) // small, for the fuzzer spends its time on what is large
		p.Trail[3].Set, p.Trail, p.Records = p.Trail[0].Set, p.Trail[3:], p.Records[4:5]
		change(p)
		b, err := p.Encode()
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte("{}\n"))
	set := m.Set("alpha", 4).Root()
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ledger.DecodeProof(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("it has another encoding (%v)", err)
		}
		for _, trust := range []ledger.Trust{{ValidatorsRoot: &set}, {Manifest: m.Manifest}} {
			c, err := p.Verify(trust)
			if err != nil {
				continue
			}
			if c.Root() != m.Past(c.ChainID(), c.Epoch()).Checkpoint.Root() {
				t.Fatal("a checkpoint that nobody made is certified")
			}
			for _, r := range p.Records {
				key, err := ledger.ParseKey(r.Name)
				must(t, err)
				value, ok, err := m.TreeAt(p.Chain, p.Epoch).Get(key)
				if err != nil || ok != r.Present || !bytes.Equal(value, r.Value) {
					t.Fatalf("%s is proven to be %x (%t), the ledger has %x (%t, %v)", r.Name, r.Value, r.Present, value, ok, err)
				}
				if r.Present {
					_, err := ledger.Describe(r.Key, r.Value)
					must(t, err)
				}
			}
		}
	})
}
