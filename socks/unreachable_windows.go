package socks

import "syscall"

// reportsICMP reports whether errno is one by which Winsock reports ICMP errors.
func reportsICMP(errno syscall.Errno) bool {
	const (
		wsaENETUNREACH  = 10051
		wsaENETRESET    = 10052
		wsaECONNRESET   = 10054
		wsaEHOSTUNREACH = 10065
	)
	switch errno {
	case wsaENETUNREACH, wsaENETRESET, wsaECONNRESET, wsaEHOSTUNREACH:
		return true
	}
	return false
}
