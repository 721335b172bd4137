package ledger

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Describe decodes the record under a key into what has a JSON form for people: ids
// and keys in hex, amounts and ratios in decimal, chain ids as they are, and lower-case
// names. The error says that key or value are not what a ledger has.
func Describe(key, value []byte) (any, error) {
	name, form, err := formOf(key)
	if err != nil {
		return nil, err
	}
	r, err := form.record(value)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", name, err)
	}
	return described(reflect.ValueOf(r), ""), nil
}

// decodeAs decodes a record in SSZ.
func decodeAs[T any, R record[T]](value []byte) (any, error) {
	r := R(new(T))
	if err := r.UnmarshalSSZ(value); err != nil {
		return nil, err
	}
	return *r, nil
}

// decodeCount decodes the length of a list or another number.
func decodeCount(value []byte) (any, error) {
	if len(value) != 8 {
		return nil, fmt.Errorf("%d bytes are not a number", len(value))
	}
	return binary.LittleEndian.Uint64(value), nil
}

// decodeAmount decodes a sum that stands alone.
func decodeAmount(value []byte) (any, error) {
	if len(value) != len(Amount{}) {
		return nil, fmt.Errorf("%d bytes are not an amount", len(value))
	}
	return Amount(value), nil
}

// decodeBytes leaves an operation that waits as it is.
func decodeBytes(value []byte) (any, error) { return HexBytes(value), nil }

// decodeID decodes an account or the id of a fault.
func decodeID(value []byte) (any, error) {
	if len(value) != 32 {
		return nil, fmt.Errorf("%d bytes are not an id", len(value))
	}
	return AccountID(value), nil
}

// What the fields of records mean, where their type does not say it.
var (
	amountFields = fieldNames("Deposited Collateral Escrow Withdrawn Burned Bonded Slashed Taken Amount Slashable Captured Reward Compensation Power Total Accepts Num Den Covered Paid Pool Value Virtual")
	idFields     = fieldNames("Validator Account Fault Reporter Root ValidatorsRoot LedgerRoot Parent")
	ratioFields  = fieldNames("Ratio")
	textFields   = fieldNames("ID Provider Consumer Chain")
)

func fieldNames(list string) map[string]bool {
	names := make(map[string]bool)
	for _, n := range strings.Fields(list) {
		names[n] = true
	}
	return names
}

// described turns the value of a field into one that prints well.
func described(v reflect.Value, field string) any {
	if text, ok := v.Interface().(interface{ MarshalText() ([]byte, error) }); ok {
		return text
	}
	switch v.Kind() {
	case reflect.Pointer:
		return described(v.Elem(), field)
	case reflect.Struct:
		out := make(map[string]any)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			out[snake(name)] = described(v.Field(i), name)
		}
		return out
	case reflect.Array: // of bytes: all are
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		if amountFields[field] {
			return Amount(b)
		}
		return HexBytes(b)
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			if textFields[field] {
				return string(b)
			}
			return HexBytes(b)
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = described(v.Index(i), field)
		}
		return out
	case reflect.Uint64:
		if ratioFields[field] {
			return Ratio(v.Uint())
		}
	}
	return v.Interface()
}

// snake is a field's name in JSON.
func snake(name string) string {
	var b strings.Builder
	for i, c := range name {
		if unicode.IsUpper(c) && i > 0 && !unicode.IsUpper(rune(name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
