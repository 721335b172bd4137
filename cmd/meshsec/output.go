package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

// jsonFlag defines --json.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printOneOrList prints one object, or a list where there are several: one document in
// any case.
func printOneOrList[T any](w io.Writer, all []T) error {
	if len(all) == 1 {
		return printJSON(w, all[0])
	}
	return printJSON(w, all)
}

// table aligns columns. Cells are printed with %v.
type table struct{ w *tabwriter.Writer }

// newTable begins a table; without names it has no header.
func newTable(w io.Writer, names ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(names) > 0 {
		fmt.Fprintln(t.w, strings.ToUpper(strings.Join(names, "\t")))
	}
	return t
}

func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, c)
	}
	fmt.Fprintln(t.w)
}

// print writes the table out; the first error of all writes is returned here.
func (t *table) print() error { return t.w.Flush() }

// grouped is an amount with a comma after every three digits.
func grouped(a ledger.Amount) string { return groupedText(a.String()) }

// groupedText is grouped for the text of a number, which may have decimals.
func groupedText(s string) string {
	whole, decimals, found := strings.Cut(s, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if found {
		b.WriteString("." + decimals)
	}
	return b.String()
}

// naming decides how ids are shown in tables.
type naming struct{ full bool }

func (n naming) id(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	s := hex.EncodeToString(b)
	if n.full || len(s) <= 12 {
		return s
	}
	return s[:12] + "…"
}

// behind is what a part of a lien stands behind: a validator, or the chain as a whole.
func (n naming) behind(v ledger.AccountID) string {
	if v == ledger.Backstop {
		return "backstop"
	}
	return n.id(v[:])
}

func (n naming) ids(accounts []ledger.AccountID) string {
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = n.id(a[:])
	}
	return strings.Join(names, ", ")
}

// moment is a time in Unix milliseconds, "-" for none.
func moment(ms uint64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02 15:04:05.000Z")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
