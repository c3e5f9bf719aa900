//go:build !linux

package socks

import "net"

const segmentOOB = 0

func appendSegmentSize(b []byte, _ int) []byte { return b }

func canJoin(*net.UDPConn) bool { return false }

func fragment(int, int) bool { return false }
