//go:build !linux

package udpsegment

import "syscall"

// Space is the maximum number of bytes that Append appends.
const Space = 0

// Append returns oob.
func Append(oob []byte, _ int) []byte { return oob }

// Sent returns 0.
func Sent([]byte) int { return 0 }

// Received returns 0.
func Received([]byte) int { return 0 }

// CanSplit returns false.
func CanSplit(syscall.Conn) bool { return false }

// Join returns false.
func Join(syscall.Conn) bool { return false }
