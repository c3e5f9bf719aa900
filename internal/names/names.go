// Package names has the one canonical form of a host, a name or an address: what the mapping table is keyed
// by is also what a gateway is sent, so no two spellings of a host ever become two destinations.
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

// Canonical returns name in lower case, without one trailing dot, and with IDNA A-labels. A name that
// is canonical already is returned as it is, without an allocation. The error gives the reason alone;
// callers add the name and wrap it in their own.
//
// As in package net, labels are letters, digits, hyphens and underscores. A name whose last label is a
// number is refused: a gateway's resolver would take 127.1 or 2130706433 for an address.
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

// toASCII converts each label that needs it on its own, so that ASCII labels keep their underscores.
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
		if a == "" || strings.Contains(a, ".") { // what maps to nothing, or to a dot, is no label
			return "", fmt.Errorf("not a valid internationalized name: label %q", label)
		}
		labels[i] = a
	}
	return strings.Join(labels, "."), nil
}

// isCanonical reports whether Canonical would return a name as it is. It looks at each byte once, because that is what
// most names cost.
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

// isLabel reports whether bytes that are allowed are a label.
func isLabel(label string) bool {
	n := len(label)
	return 0 < n && n <= maxLabel && label[0] != '-' && label[n-1] != '-'
}

// allowed are the bytes of a label.
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

// check reports why a name without a trailing dot is not a host name.
func check(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("%d bytes, more than %d", len(name), maxName)
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			if !allowed[name[i]] {
				return fmt.Errorf("character %q", name[i])
			}
			continue
		}
		label := name[start:i]
		switch {
		case label == "":
			return errors.New("empty label")
		case len(label) > maxLabel:
			return fmt.Errorf("label of %d bytes, more than %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return errors.New("label begins or ends with a hyphen")
		case i == len(name) && isNumber(label):
			return errors.New("ends in a number, as an address does")
		}
		start = i + 1
	}
	return nil
}

// isNumber reports whether inet_aton takes the label for a part of an IPv4 address: decimal, octal or
// hexadecimal.
func isNumber(label string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		label, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(label, digits) == ""
}
