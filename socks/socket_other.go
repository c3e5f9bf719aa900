//go:build !linux

package socks

// fragment does nothing on this system.
func fragment(int, int) {}
