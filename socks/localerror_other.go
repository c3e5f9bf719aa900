//go:build !unix && !windows

package socks

// localErrors are this machine's: another gateway would fare no better.
var localErrors []error
