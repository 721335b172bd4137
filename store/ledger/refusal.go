package ledger

import (
	"errors"
	"fmt"
)

// Code classifies why an operation was refused; 0 is success. Codes are in the
// receipts and so part of the protocol; the reason's text is too.
type Code uint8

// The codes.
const (
	CodeOK           Code = iota
	CodeMalformed         // not an operation of this protocol
	CodeUnauthorised      // a signature is missing or wrong
	CodeNonce             // not the signer's next nonce
	CodeUnknown           // names something that this ledger does not know (yet)
	CodeVault             // breaks I1 or I2, or more than is there
	CodeLimit             // beyond a limit
	CodeInvalid           // a certificate or proof does not verify
	CodeDuplicate         // nothing new
	CodeExpired           // too old
	CodeFrozen            // collateral is frozen until a slash is executed
	CodeHalted            // the peer is halted
	CodeQueued            // no refusal: it waits for a later epoch
)

var codeNames = [...]string{"ok", "malformed", "unauthorised", "nonce", "unknown", "vault", "limit", "invalid", "duplicate", "expired", "frozen", "halted", "queued"}

// String is the code's name.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Refusal is the error of an operation that breaks a rule. It ends in a receipt;
// every other error of a transition means that the state is damaged.
type Refusal struct {
	Code   Code
	Reason string
}

func (r *Refusal) Error() string { return r.Code.String() + ": " + r.Reason }

func refuse(code Code, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	if len(reason) > 256 {
		reason = reason[:256]
	}
	return &Refusal{code, reason}
}

// refused writes a refusal into the receipt. Any other error is returned: it says
// nothing about the operation.
func (r *Receipt) refused(err error) error {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	r.Code, r.Reason = uint8(refusal.Code), []byte(refusal.Reason)
	return nil
}
