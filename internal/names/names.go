// Package names has the one canonical form of a host name: what the mapping table is keyed by is
// also what a gateway is sent, so no two spellings of a name ever become two destinations.
package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035, section 2.3.4, without the root label's octet.
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
	if name == "" {
		return "", errors.New("empty name")
	}
	canonical := strings.TrimSuffix(name, ".")
	if !isASCII(canonical) {
		if !utf8.ValidString(canonical) {
			return "", errors.New("not valid UTF-8")
		}
		a, err := idna.Lookup.ToASCII(canonical)
		if err != nil {
			return "", fmt.Errorf("not a valid internationalized name: %w", err)
		}
		canonical = strings.TrimSuffix(a, ".")
	}
	canonical = strings.ToLower(canonical) // no allocation when nothing changes
	if err := check(canonical); err != nil {
		return "", err
	}
	return canonical, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// check reports why an ASCII name without a trailing dot is not a host name.
func check(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("%d octets, more than %d", len(name), maxName)
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			if !allowed(name[i]) {
				return fmt.Errorf("character %q", name[i])
			}
			continue
		}
		label := name[start:i]
		switch {
		case label == "":
			return errors.New("empty label")
		case len(label) > maxLabel:
			return fmt.Errorf("label of %d octets, more than %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return errors.New("label begins or ends with a hyphen")
		case i == len(name) && isNumber(label):
			return errors.New("ends in a number, as an address does")
		}
		start = i + 1
	}
	return nil
}

func allowed(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
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
