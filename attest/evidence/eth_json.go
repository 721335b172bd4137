package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of reading. What they are about is unreadable, which is not the same as
// evidence that convicts nobody.
var (
	ErrEthereumSize  = errors.New("ethereum evidence: the input is too long")
	ErrEthereumShape = errors.New("ethereum evidence: the input has no known shape")
)

func ethShape(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrEthereumShape, fmt.Errorf(format, args...))
}

// ethValue is one value inside a document whose syntax [ethDocument] checked, without
// space around it. It is a window into the document: nothing is copied. Unlike
// encoding/json it tells letter cases apart and refuses a member that occurs twice,
// so that no two readers can see two different slashings in one file.
type ethValue []byte

// ethDocument is data as one JSON value with nothing behind it.
func ethDocument(data []byte, limit int) (ethValue, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrEthereumSize, len(data), limit)
	}
	if !json.Valid(data) {
		return nil, ethShape("it is not one JSON document, or something follows it")
	}
	return ethTrim(data), nil
}

const ethSpace = " \t\r\n"

func ethTrim(b []byte) []byte { return bytes.Trim(b, ethSpace) }

func (v ethValue) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v ethValue) isArray() bool  { return len(v) > 0 && v[0] == '[' }
func (v ethValue) isNull() bool   { return string(v) == "null" }

// ethEnd is the length of the value at the beginning of b, which is valid JSON.
func ethEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 && i+1 < len(b) && strings.IndexByte(ethSpace+",]}", b[i+1]) < 0 {
				continue // inside of a number or literal
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(b)
}

// each calls visit for the elements of an array, and, with their names as they are
// written, for the members of an object.
func (v ethValue) each(visit func(name string, v ethValue) error) error {
	rest := ethTrim(v[1 : len(v)-1])
	for len(rest) > 0 {
		name := ""
		if v.isObject() {
			end := ethEnd(rest)
			name = string(rest[1 : end-1])
			rest = bytes.TrimLeft(rest[end:], ethSpace)
			rest = bytes.TrimLeft(rest[1:], ethSpace) // the colon
		}
		end := ethEnd(rest)
		if err := visit(name, ethValue(rest[:end])); err != nil {
			return err
		}
		if rest = bytes.TrimLeft(rest[end:], ethSpace); len(rest) > 0 {
			rest = bytes.TrimLeft(rest[1:], ethSpace) // the comma
		}
	}
	return nil
}

// ethMembers says what is done with the members of an object.
type ethMembers map[string]func(ethValue) error

// exactly wants all of these members, once each, and no other.
func (v ethValue) exactly(members ethMembers) error {
	seen, err := v.read(members, true)
	if err != nil {
		return err
	}
	for name := range members {
		if !seen[name] {
			return ethShape("%s is missing", name)
		}
	}
	return nil
}

// some wants each of these members at most once, and ignores others. A null is as
// good as nothing.
func (v ethValue) some(members ethMembers) error {
	_, err := v.read(members, false)
	return err
}

func (v ethValue) read(members ethMembers, strict bool) (map[string]bool, error) {
	if !v.isObject() {
		return nil, ethShape("an object is expected, not %.20q", []byte(v))
	}
	seen := make(map[string]bool, len(members))
	return seen, v.each(func(name string, member ethValue) error {
		take, known := members[name]
		switch {
		case !known && strict:
			return ethShape("unknown member %.40q", name)
		case !known:
			return nil
		case seen[name]:
			return ethShape("%s occurs twice", name)
		}
		seen[name] = true
		if !strict && member.isNull() {
			return nil
		}
		if err := take(member); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// list calls visit for each element of an array of at most limit.
func (v ethValue) list(limit int, visit func(i int, v ethValue) error) error {
	if !v.isArray() {
		return ethShape("a list is expected, not %.20q", []byte(v))
	}
	i := 0
	return v.each(func(_ string, element ethValue) error {
		if i >= limit {
			return fmt.Errorf("%w: a list of more than %d", ErrEthereumSize, limit)
		}
		if err := visit(i, element); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
		i++
		return nil
	})
}

// text is the content of a string without escapes, which nothing here needs.
func (v ethValue) text() (string, error) {
	if len(v) < 2 || v[0] != '"' || bytes.IndexByte(v, '\\') >= 0 {
		return "", ethShape("a plain string is expected, not %.20q", []byte(v))
	}
	return string(v[1 : len(v)-1]), nil
}

// integer is an unsigned 64-bit integer, in quotes as the beacon API writes it or
// without, decimal and in its one shortest form.
func (v ethValue) integer() (uint64, error) {
	digits := string(v)
	if len(v) >= 2 && v[0] == '"' {
		digits = digits[1 : len(digits)-1]
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, ethShape("a decimal integer of 64 bits is expected, not %.30q", digits)
	}
	return n, nil
}

// bytes is hexadecimal after 0x, of any length.
func (v ethValue) bytes() ([]byte, error) {
	s, err := v.text()
	if err != nil {
		return nil, err
	}
	return ethHex(s)
}

func ethHex(s string) ([]byte, error) {
	if len(s) < 2 || s[:2] != "0x" {
		return nil, ethShape("hexadecimal after 0x is expected, not %.20q", s)
	}
	b, err := hex.DecodeString(s[2:])
	if err != nil {
		return nil, ethShape("not hexadecimal: %v", err)
	}
	return b, nil
}

// The functions below make an entry of [ethMembers].

func ethRaw(into *ethValue) func(ethValue) error {
	return func(v ethValue) error { *into = v; return nil }
}

func ethText(into *string) func(ethValue) error {
	return func(v ethValue) (err error) { *into, err = v.text(); return err }
}

func ethInteger(into *uint64) func(ethValue) error {
	return func(v ethValue) (err error) { *into, err = v.integer(); return err }
}

func ethIntegers(into *[]uint64, limit int) func(ethValue) error {
	return func(v ethValue) error {
		// Every element takes two bytes at least: no growing, and nothing for a lie.
		all := make([]uint64, 0, min(limit, bytes.Count(v, []byte{','})+1))
		err := v.list(limit, func(_ int, v ethValue) error {
			n, err := v.integer()
			all = append(all, n)
			return err
		})
		*into = all
		return err
	}
}

// ethFixed wants exactly as many bytes as into has.
func ethFixed(into []byte) func(ethValue) error {
	return func(v ethValue) error {
		b, err := v.bytes()
		if err != nil {
			return err
		}
		return ethFill(into, b)
	}
}

func ethFill(into, b []byte) error {
	if len(b) != len(into) {
		return ethShape("%d bytes are expected, not %d", len(into), len(b))
	}
	copy(into, b)
	return nil
}

// ethBytes wants anything in hexadecimal; its length is a matter of judgement.
func ethBytes(into *[]byte) func(ethValue) error {
	return func(v ethValue) (err error) { *into, err = v.bytes(); return err }
}

// ethOptional remembers 32 bytes, which may be missing.
func ethOptional(into **[32]byte) func(ethValue) error {
	return func(v ethValue) error {
		root := new([32]byte)
		*into = root
		return ethFixed(root[:])(v)
	}
}
