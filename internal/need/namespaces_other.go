//go:build !linux

package need

import "errors"

// Namespaces returns an error: only Linux has them.
func Namespaces() error { return errors.New("Linux, for namespaces") }

// Descriptors returns nil: the limit is not read here.
func Descriptors(uint64) error { return nil }
