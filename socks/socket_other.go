//go:build !linux

package socks

func fragment(int, int) bool { return false }
