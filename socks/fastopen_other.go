//go:build !linux

package socks

import "net"

// fastOpening connects as usual.
var fastOpening = net.Dialer{Resolver: &net.Resolver{}}

// synStateOf returns the zero synState: no connection is deferred here.
func synStateOf(net.Conn) synState { return synState{} }

// inProgress is false here.
func inProgress(error) bool { return false }
