// Httpget is a small curl behind a SOCKS5 gateway: it writes the content of a URL to standard output. The name in
// the URL is never looked up on this machine; it may be known only to the gateway.
//
//	go run ./examples/httpget -gateway socks5://user:password@127.0.0.1:1080 http://www.test:8000/
//	ALL_PROXY=socks5://127.0.0.1:1080 go run ./examples/httpget -I -6 -v https://www.test/
//
// Without -gateway, the gateway is the one in ALL_PROXY, and hosts in NO_PROXY are reached directly. Without
// either, the program fails; it never connects directly. Redirects are shown, not followed.
//
// The exit status and the message on standard error give the cause of a failure:
//
//	0   success
//	1   any other failure: TLS, HTTP, a broken transfer
//	2   the command line, a URL, or ALL_PROXY
//	5   the gateway: it cannot be reached, hangs up, or does not speak SOCKS 5
//	6   the credentials: the gateway refuses them, or requires some
//	7   the destination: the gateway cannot connect to it, or is not allowed to
//	8   the name: the gateway does not know it, or cannot reach its host; gateways do not distinguish these
//	22  the HTTP status is 400 or above, with -f
//	28  timeout: -timeout has passed, or the gateway has given up waiting for the destination
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil {
		err = get(ctx, o, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{code: exitOther, err: err}
	}
	fmt.Fprintln(stderr, "httpget:", f)
	return f.code
}
