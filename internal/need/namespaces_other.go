//go:build !linux

package need

import "errors"

// Namespaces are Linux's.
func Namespaces() error { return errors.New("Linux, for namespaces") }

// Descriptors tells whether this process may have so many files open.
func Descriptors(uint64) error { return nil }
