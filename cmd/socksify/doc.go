// Command socksify runs a program and its child processes so that every name and connection goes through a SOCKS5
// gateway:
//
//	socksify [flags] [--] PROGRAM [ARG…]
//
// It works without root, ptrace and LD_PRELOAD. Traffic that cannot go through the gateway is refused. See
// README.md.
package main
