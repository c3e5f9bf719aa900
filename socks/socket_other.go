//go:build !linux

package socks

func fragment(int, int) {}
