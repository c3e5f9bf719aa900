package socks

import "syscall"

// localErrors are errors of this machine, which another gateway cannot avoid: WSAEMFILE, WSAENOBUFS and
// WSAEADDRNOTAVAIL.
var localErrors = []syscall.Errno{10024, 10055, 10049}
