//go:build !unix && !windows

package socks

// localErrors are errors of this machine, which another gateway cannot avoid.
var localErrors []error
