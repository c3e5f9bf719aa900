package socks

import "syscall"

// localErrors are this machine's, WSAEMFILE, WSAENOBUFS and WSAEADDRNOTAVAIL: another gateway would fare
// no better.
var localErrors = []syscall.Errno{10024, 10055, 10049}
