package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newLedgerProve() *cobra.Command {
	cmd := &cobra.Command{
		Use: "prove KEY...", Short: "Prove what a ledger holds, or that it does not",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse(cmd, "KEY, the name of a record, is missing")
			}
			if len(args) > ledger.MaxProofRecords {
				return misuse(cmd, "%d records are too many for one proof, at most %d", len(args), ledger.MaxProofRecords)
			}
			return nil
		},
		Long: `Asks a node what a ledger holds under some keys at the end of a certified epoch, and
writes a file that proves it to anybody, offline: see "meshsec ledger verify". A key
that the ledger does not have is proven to be absent.

The names of records, with ids and keys in hex and numbers in decimal:

  meta                         the ledger's clock and sums
  account/ACCOUNT              an account
  lien/ACCOUNT/CONSUMER        an account's lien to a chain
  validator/ACCOUNT            a registered validator
  key/KEY ckey/KEY             whom a BLS or consensus key (with its type) belongs to
  set set/EPOCH                the set that signs next, the root of an earlier one
  statement/CONSUMER           what is pledged here to a chain
  import/PROVIDER              what a chain has pledged to this one
  peer/CHAIN                   another chain as this ledger knows it
  checkpoint/CHAIN/EPOCH       an accepted checkpoint of another chain
  fault/FAULT                  a recorded fault
  offender/CHAIN/ACCOUNT       a convicted validator
  frozen/CHAIN/ACCOUNT         how many executions against an offender have not finished
  cover                        what stands behind this chain
  failures/CHAIN               how often a chain has failed; with /NUMBER the epoch whose cover counts
  failure/CHAIN/EPOCH failed/CHAIN/EPOCH
                               such a failure, and the cover, once it is proven
  accounts validators faults slashes queue liens/CONSUMER/VALIDATOR offenders/CHAIN
                               the length of a list, and with /NUMBER an item of it

The file holds the certificate of the epoch and the set that signed it. Whoever does
not know that set, but the network's manifest, needs the certificates from genesis on
as well (--from-genesis); who trusts an earlier checkpoint those from there on (--from).`,
		Example: `meshsec ledger prove account/3f9a…c2 statement/beta --out proof.json
meshsec ledger prove peer/beta --chain alpha --epoch 120 --from-genesis --out proof.json`,
	}
	var t target
	var names naming
	var request proofRequest
	var span epochs
	var out string
	t.flags(cmd)
	cmd.Flags().StringVar(&request.chain, "chain", "", "chain whose ledger it is (default the node's home chain)")
	span.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write; it must not exist (default standard output)")
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range args {
			if _, err := ledger.ParseKey(name); err != nil {
				return misuse(cmd, "%v", err)
			}
		}
		var err error
		if request.epoch, request.from, err = span.read(cmd); err != nil {
			return err
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		request.names = args
		p, err := request.ask(cmd.Context(), f)
		if err != nil {
			return err
		}
		encoded, err := p.Encode()
		if err != nil {
			return err
		}
		if len(encoded) > ledger.MaxProofFile {
			return fmt.Errorf("the proof has %d bytes, at most %d are allowed: ask for fewer records, or trust a later checkpoint with --from", len(encoded), ledger.MaxProofFile)
		}
		if out == "" {
			_, err = cmd.OutOrStdout().Write(encoded)
			return err
		}
		if err := createFile(out, encoded); err != nil {
			return err
		}
		s := provenFile{File: out, Size: len(encoded), Chain: p.Chain, Epoch: p.Epoch, Records: len(p.Records), Certificates: len(p.Trail)}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records of %s at epoch %d proven with %d certificates in %d bytes, written to %s\n",
			s.Records, s.Chain, s.Epoch, s.Certificates, s.Size, s.File)
		return err
	}
	return cmd
}

// epochFlag is a certified epoch: 1 or later. 0 is what nobody gave.
type epochFlag uint64

func (f *epochFlag) String() string { return strconv.FormatUint(uint64(*f), 10) }
func (f *epochFlag) Type() string   { return "uint" }

func (f *epochFlag) Set(s string) error {
	epoch, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err != nil:
		return errors.New("want the number of an epoch, from 1 on")
	case epoch == 0:
		return errors.New("epoch 0 is the genesis, which has no certificate: give one from 1 on, or leave the flag out")
	}
	*f = epochFlag(epoch)
	return nil
}

// epochs say as of which epoch a file is, and since when it holds certificates.
type epochs struct {
	epoch, from epochFlag
	genesis     bool
}

func (e *epochs) flags(cmd *cobra.Command) {
	cmd.Flags().Var(&e.epoch, "epoch", "certified epoch at whose end (default the newest)")
	cmd.Flags().Var(&e.from, "from", "first epoch whose certificate goes into the file (default only that of --epoch)")
	cmd.Flags().BoolVar(&e.genesis, "from-genesis", false, "the same as --from 1")
}

// read is 0 for an epoch that nobody gave.
func (e *epochs) read(cmd *cobra.Command) (epoch, from uint64, err error) {
	epoch, from = uint64(e.epoch), uint64(e.from)
	if e.genesis {
		if from > 1 {
			return 0, 0, misuse(cmd, "--from-genesis is --from 1, and --from %d is given as well", from)
		}
		from = 1
	}
	if epoch > 0 && from > epoch {
		return 0, 0, misuse(cmd, "--from %d is after --epoch %d", from, epoch)
	}
	return epoch, from, nil
}

// provenFile says what was written.
type provenFile struct {
	File         string `json:"file"`
	Size         int    `json:"size"`
	Chain        string `json:"chain"`
	Epoch        uint64 `json:"epoch"`
	Records      int    `json:"records"`
	Certificates int    `json:"certificates"`
}

// proofRequest is what to ask a node for.
type proofRequest struct {
	chain string
	epoch uint64 // 0: the newest
	from  uint64 // first certificate, 0: the epoch's alone
	names []string
}

// ask has a node prove it. What the node says is not checked here: that is what
// verifying is for.
func (r *proofRequest) ask(ctx context.Context, f *found) (*ledger.Proof, error) {
	status, err := f.Status(ctx)
	if err != nil {
		return nil, err
	}
	network, err := f.networkOf(status)
	if err != nil {
		return nil, err
	}
	if r.chain == "" {
		r.chain = status.Chain
	}
	newest, known := status.Ledgers[r.chain]
	if !known {
		return nil, fmt.Errorf("the node at %s has no ledger of %q: it has %v", f.base, r.chain, slices.Sorted(maps.Keys(status.Ledgers)))
	}
	if r.epoch > newest.Epoch {
		return nil, fmt.Errorf("epoch %d of %s is not certified on the node at %s, the newest is %d", r.epoch, r.chain, f.base, newest.Epoch)
	}
	p := &ledger.Proof{Format: ledger.ProofFormat, Network: network[:], Chain: r.chain, Epoch: r.epoch}
	for _, name := range r.names {
		got, err := f.Record(ctx, r.chain, name, p.Epoch)
		if err != nil {
			return nil, err
		}
		p.Epoch = got.Epoch // the others must be of the same
		p.Records = append(p.Records, got.ProofRecord)
	}
	if r.from == 0 {
		r.from = p.Epoch
	}
	if r.from > p.Epoch {
		return nil, fmt.Errorf("the newest certified epoch of %s is %d, and --from is %d", r.chain, p.Epoch, r.from)
	}
	p.Trail, err = fetchTrail(ctx, f, r.chain, r.from, p.Epoch)
	return p, err
}

// fetchTrail asks for the certificates of the epochs from one to another.
func fetchTrail(ctx context.Context, f *found, chain string, from, to uint64) (ledger.Trail, error) {
	if to-from >= ledger.MaxTrail {
		return nil, fmt.Errorf("%d certificates do not fit into one file, at most %d: trust a later checkpoint with --from", to-from+1, ledger.MaxTrail)
	}
	var trail ledger.Trail
	var set string
	for from <= to {
		page, err := f.Certificates(ctx, chain, from, int(min(to-from+1, api.MaxLinks)))
		if err != nil {
			return nil, err
		}
		if len(page.Links) == 0 || uint64(len(page.Links)) > to-from+1 {
			return nil, fmt.Errorf("the node at %s has no certificate of %s epoch %d: ask another node, or leave out earlier ones with --from", f.base, chain, from)
		}
		for _, link := range page.Links { // each page begins with a set
			if string(link.Set) == set {
				link.Set = nil
			} else if len(link.Set) > 0 {
				set = string(link.Set)
			}
			trail = append(trail, link)
		}
		from += uint64(len(page.Links))
	}
	return trail, nil
}
