package evidence

import (
	"fmt"
	"sort"
	"strconv"
)

// reportWriter writes a report, check by check.
type reportWriter struct{ Report }

func newCometReport(kind, chain string, height int64) *reportWriter {
	return &reportWriter{Report{Kind: kind, Chain: chain, Height: uint64(max(height, 0)), Offenders: []Offender{}, Checks: []Check{}}}
}

// step records a check, which err fails, and says whether to go on.
func (r *reportWriter) step(name string, err error, detail string, args ...any) bool {
	if err != nil {
		r.Checks = append(r.Checks, Check{Name: name, Detail: err.Error()})
		r.Failed = err.Error()
		return false
	}
	r.Checks = append(r.Checks, Check{Name: name, OK: true, Detail: fmt.Sprintf(detail, args...)})
	return true
}

// must is step for a condition and what it means if it does not hold.
func (r *reportWriter) must(name string, holds bool, failed error, detail string, args ...any) bool {
	if holds {
		failed = nil
	}
	return r.step(name, failed, detail, args...)
}

// convict names the offenders, the mightiest first, and makes the report valid.
func (r *reportWriter) convict(powers map[string]int64, total int64) {
	names := make([]string, 0, len(powers))
	for address := range powers {
		names = append(names, address)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := powers[names[i]], powers[names[j]]; a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	for _, address := range names {
		o := Offender{Name: fmt.Sprintf("%X", address)}
		if total > 0 {
			o.Power, o.Total = strconv.FormatInt(powers[address], 10), strconv.FormatInt(total, 10)
		}
		r.Offenders = append(r.Offenders, o)
	}
	r.Valid = true
}
