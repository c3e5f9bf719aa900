//go:build !linux

package need

import "errors"

// Namespaces are Linux's.
func Namespaces() error { return errors.New("Linux, for namespaces") }
