// Package faults tests the library as a whole against gateways that fail, lie or vanish, and under load.
// docs/RELIABILITY.md has the results.
//
//	go test -v ./internal/faults          # the short form
//	go test -v ./internal/faults -long    # the long one
//	go test -race -v -run HTTP ./internal/faults -http 1m
package faults

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

var long = flag.Bool("long", false, "run the matrix over every transport, load, soak and chaos in full")

// TestMain runs the tests, or the gateway if this is the process of one.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(gatewayVariable) != "" {
		serveGateway()
		return
	}
	// The cells of the matrix mostly wait.
	if err := flag.Set("test.parallel", "48"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	leakcheck.Main(m)
}

// logged holds the output of the default loggers of packages slog and log.
var logged bytes.Buffer

// scaled returns short, or whole with -long.
func scaled(short, whole int) int {
	if *long {
		return whole
	}
	return short
}
