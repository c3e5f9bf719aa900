//go:build !linux

package socks

import "net"

// fastOpenDialer dials without TCP Fast Open.
var fastOpenDialer = net.Dialer{Resolver: &net.Resolver{}}

// synStateOf returns the zero synState, because no connection is deferred on this system.
func synStateOf(net.Conn) synState { return synState{} }

// inProgress returns false.
func inProgress(error) bool { return false }
