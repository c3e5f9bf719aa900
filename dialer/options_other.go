//go:build !linux

package dialer

// options is empty: socket options are copied between associations on Linux only.
type options struct{}

const optionsHaveBuffers = false

func optionsOf(uintptr) options { return options{} }

func (options) apply(uintptr) {}
