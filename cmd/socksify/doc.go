// Command socksify runs any program, and all that it starts, with every name and connection going through a SOCKS5
// gateway:
//
//	socksify [flags] [--] PROGRAM [ARG…]
//
// It needs neither root, nor ptrace, nor LD_PRELOAD. What cannot go through the gateway goes nowhere. See README.md.
package main
