//go:build !linux

package dialer

// options are what one socket has, and others get: elsewhere than on Linux, nothing.
type options struct{}

func optionsOf(uintptr) options { return options{} }

func (options) apply(uintptr) {}
