package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/holiman/uint256"
)

// One is the scale of ratios, prices and penalties: 1.0.
const One = 1_000_000_000_000_000_000

// Amount is an unsigned 256-bit integer in base units of a chain's token, in
// little-endian as SSZ has it. As text it is decimal. No balance exceeds
// [MaxAmount], so that amount·ratio and sums of such products fit in 256 bits.
type Amount [32]byte

// MaxAmount bounds what a ledger may ever hold: 2^160 − 1.
var MaxAmount = new(uint256.Int).SubUint64(new(uint256.Int).Lsh(uint256.NewInt(1), 160), 1)

// NewAmount converts v.
func NewAmount(v *uint256.Int) (a Amount) {
	for i, limb := range v {
		binary.LittleEndian.PutUint64(a[8*i:], limb)
	}
	return a
}

// Units is the amount of n base units.
func Units(n uint64) Amount { return NewAmount(uint256.NewInt(n)) }

// Int is a fresh integer of the same value.
func (a Amount) Int() *uint256.Int {
	v := new(uint256.Int)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(a[8*i:])
	}
	return v
}

// IsZero reports whether a is 0.
func (a Amount) IsZero() bool { return a == Amount{} }

// String is the decimal form.
func (a Amount) String() string { return a.Int().Dec() }

// MarshalText is the decimal form.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a decimal integer of at most [MaxAmount]: digits only, no
// sign, no leading zeros.
func (a *Amount) UnmarshalText(b []byte) error {
	s := string(b)
	if !isDigits(s) || len(s) > 1 && s[0] == '0' {
		return fmt.Errorf("amount %q is not a plain decimal integer", s)
	}
	v, err := uint256.FromDecimal(s)
	if err != nil || v.Gt(MaxAmount) {
		return fmt.Errorf("amount %q is larger than %s", s, MaxAmount.Dec())
	}
	*a = NewAmount(v)
	return nil
}

// Ratio is a number scaled by [One]. As text it is a decimal fraction with at most
// 18 digits after the point.
type Ratio uint64

// String is the shortest exact decimal form.
func (r Ratio) String() string {
	whole, frac := uint64(r)/One, uint64(r)%One
	if frac == 0 {
		return strconv.FormatUint(whole, 10)
	}
	return fmt.Sprintf("%d.%s", whole, strings.TrimRight(fmt.Sprintf("%018d", frac), "0"))
}

// MarshalText is String.
func (r Ratio) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String writes; trailing zeros are allowed, leading ones
// are not.
func (r *Ratio) UnmarshalText(b []byte) error {
	whole, frac, _ := strings.Cut(string(b), ".")
	if !isDigits(whole) || len(whole) > 1 && whole[0] == '0' || frac != "" && !isDigits(frac) || len(frac) > 18 || strings.HasSuffix(string(b), ".") {
		return fmt.Errorf("ratio %q is not a decimal fraction such as 0.05", b)
	}
	v, ok := new(big.Int).SetString(whole+frac+strings.Repeat("0", 18-len(frac)), 10)
	if !ok || !v.IsUint64() {
		return fmt.Errorf("ratio %q is too large", b)
	}
	*r = Ratio(v.Uint64())
	return nil
}

// AccountID names an account: its ed25519 public key. As text it is hex.
type AccountID [32]byte

// Backstop is the "validator" of the part of a lien that stands behind a consumer
// as a whole.
var Backstop AccountID

// String is lower-case hex.
func (id AccountID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id AccountID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 64 hex digits.
func (id *AccountID) UnmarshalText(b []byte) error {
	d, err := hex.DecodeString(string(b))
	if err != nil || len(d) != len(id) {
		return fmt.Errorf("account %q is not 64 hex digits", b)
	}
	copy(id[:], d)
	return nil
}

// HexBytes are bytes whose text form is lower-case hex.
type HexBytes []byte

// MarshalText is hex.
func (h HexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads hex.
func (h *HexBytes) UnmarshalText(b []byte) error {
	d, err := hex.DecodeString(string(b))
	if err != nil {
		return fmt.Errorf("%q is not hex", b)
	}
	*h = d
	return nil
}

func isDigits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
