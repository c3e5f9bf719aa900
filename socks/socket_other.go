//go:build !linux

package socks

// fragmentIfLonger does nothing on this system.
func fragmentIfLonger(int, int) {}
