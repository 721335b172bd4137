package guard

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// decimal is a uint64 that JSON carries as a string, as EIP-3076 does: other
// readers round numbers above 2^53.
type decimal uint64

// MarshalText implements [encoding.TextMarshaler].
func (d decimal) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(d), 10), nil
}

// UnmarshalText accepts what MarshalText writes and nothing else.
func (d *decimal) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not an unsigned 64-bit number", text)
	}
	if strconv.FormatUint(v, 10) != string(text) {
		return fmt.Errorf("%q is not written as %d", text, v)
	}
	*d = decimal(v)
	return nil
}

// digest is a signing root or a hash, as 0x and 64 hexadecimal digits.
type digest [32]byte

// MarshalText implements [encoding.TextMarshaler].
func (d digest) MarshalText() ([]byte, error) { return appendHex(nil, d[:]), nil }

// UnmarshalText accepts digits of either case.
func (d *digest) UnmarshalText(text []byte) error { return parseHex(d[:], text) }

// pubkey is a compressed BLS key in G1, as 0x and 96 hexadecimal digits.
type pubkey [48]byte

// MarshalText implements [encoding.TextMarshaler].
func (p pubkey) MarshalText() ([]byte, error) { return appendHex(nil, p[:]), nil }

// UnmarshalText accepts digits of either case.
func (p *pubkey) UnmarshalText(text []byte) error { return parseHex(p[:], text) }

func appendHex(dst, src []byte) []byte {
	return hex.AppendEncode(append(dst, "0x"...), src)
}

func parseHex(dst, text []byte) error {
	if len(text) != 2+2*len(dst) || text[0] != '0' || text[1] != 'x' {
		return fmt.Errorf("%q is not 0x and %d hexadecimal digits", text, 2*len(dst))
	}
	if _, err := hex.Decode(dst, text[2:]); err != nil {
		return fmt.Errorf("%q is not hexadecimal", text)
	}
	return nil
}
