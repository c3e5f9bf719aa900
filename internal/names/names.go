// Package names defines the canonical form of a host, which is a name or an address. The mapping table uses that
// form as its key, and a gateway is sent that form, so two spellings of a host are always one destination.
package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035, section 2.3.4, without the root label's byte.
const (
	maxName  = 253
	maxLabel = 63
)

// Canonical returns name in lower case, without one trailing dot, and with IDNA A-labels. It returns a canonical
// name unchanged, without an allocation. The error is the reason only; callers add the name and wrap the error.
//
// As in package net, labels have letters, digits, hyphens and underscores. A name whose last label is a number is an
// error, because a gateway's resolver would take 127.1 or 2130706433 for an address.
func Canonical(name string) (string, error) {
	if isCanonical(name) {
		return name, nil
	}
	if name == "" {
		return "", errors.New("empty name")
	}
	canonical := name
	if !isASCII(name) {
		var err error
		if canonical, err = toASCII(name); err != nil {
			return "", err
		}
	}
	canonical = strings.ToLower(strings.TrimSuffix(canonical, "."))
	if err := check(canonical); err != nil {
		return "", err
	}
	return canonical, nil
}

// dots are the characters that separate labels (RFC 3490, section 3.1; UTS #46, section 2.3).
var dots = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

// toASCII converts each label that is not ASCII on its own, so that ASCII labels keep their underscores.
func toASCII(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", errors.New("not valid UTF-8")
	}
	labels := strings.Split(dots.Replace(name), ".")
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		a, err := idna.Lookup.ToASCII(label)
		if err != nil {
			return "", fmt.Errorf("not a valid internationalized name: %w", err)
		}
		if a == "" || strings.Contains(a, ".") { // the label maps to nothing, or has a character that maps to a dot
			return "", fmt.Errorf("not a valid internationalized name: label %q", label)
		}
		labels[i] = a
	}
	return strings.Join(labels, "."), nil
}

// isCanonical reports whether Canonical returns name unchanged. It is the fast path of check: most names are
// canonical, and cost one pass over their bytes.
func isCanonical(name string) bool {
	if len(name) > maxName {
		return false
	}
	start := 0 // of the label
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if !isLabel(name[start:i]) {
				return false
			}
			start = i + 1
		case !allowed[c]:
			return false
		}
	}
	last := name[start:]
	return isLabel(last) && !('0' <= last[0] && last[0] <= '9' && isNumber(last))
}

// isLabel reports whether text of allowed bytes is a label.
func isLabel(label string) bool {
	n := len(label)
	return 0 < n && n <= maxLabel && label[0] != '-' && label[n-1] != '-'
}

// allowed is the set of bytes that a label may have.
var allowed = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-_") {
		set[c] = true
	}
	return set
}()

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// check returns the reason why a name without a trailing dot is not a host name, or nil if it is.
func check(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("%d bytes, more than %d", len(name), maxName)
	}
	var last string
	for last = range strings.SplitSeq(name, ".") {
		if err := checkLabel(last); err != nil {
			return err
		}
	}
	if isNumber(last) {
		return errors.New("ends in a number, as an address does")
	}
	return nil
}

func checkLabel(label string) error {
	for i := range len(label) {
		if !allowed[label[i]] {
			return fmt.Errorf("character %q", label[i])
		}
	}
	switch {
	case label == "":
		return errors.New("empty label")
	case len(label) > maxLabel:
		return fmt.Errorf("label of %d bytes, more than %d", len(label), maxLabel)
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("label begins or ends with a hyphen")
	}
	return nil
}

// isNumber reports whether inet_aton takes a label for a part of an IPv4 address: a decimal, octal or hexadecimal
// number.
func isNumber(label string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		label, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(label, digits) == ""
}
