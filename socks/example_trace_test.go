package socks_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// logged returns a Trace that logs every step.
func logged(l *slog.Logger) *socks.Trace {
	return &socks.Trace{
		GatewayConnected: func(gateway net.Addr, took time.Duration, err error) {
			l.Info("gateway connected", "gateway", gateway, "took", took, "err", err)
		},
		MethodChosen:  func(method byte) { l.Info("method chosen", "method", method) },
		Authenticated: func(method byte, err error) { l.Info("authenticated", "method", method, "err", err) },
		SpareTaken:    func(idle time.Duration) { l.Info("spare taken", "idle", idle) },
		RequestSent:   func(command string, dst *socks.Addr) { l.Info("request sent", "command", command, "dst", dst) },
		Replied: func(command string, dst, bound *socks.Addr, err error) {
			l.Info("replied", "command", command, "dst", dst, "bound", bound, "err", err)
		},
		PacketDropped: func(relay net.Addr, reason socks.DropReason) {
			l.Warn("packet dropped", "relay", relay, "reason", reason)
		},
	}
}

// A Trace can write to log/slog with a few lines.
func ExampleTrace_slog() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, "gateway", "took": // these differ from run to run
			return slog.Attr{}
		}
		return a
	}}))

	client := &socks.Client{Addr: gateway.Addr().String(), Handshake: socks.HandshakeStepwise, Trace: logged(logger)}
	if _, err := client.Resolve(context.Background(), "intranet.example"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg="gateway connected" err=<nil>
	// level=INFO msg="method chosen" method=0
	// level=INFO msg=authenticated method=0 err=<nil>
	// level=INFO msg="request sent" command=RESOLVE dst=intranet.example:0
	// level=INFO msg=replied command=RESOLVE dst=intranet.example:0 bound=127.0.0.1:0 err=<nil>
}

// WithTrace traces one dial: was the name sent to the gateway, and how long did the reply take?
func ExampleWithTrace() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	client := &socks.Client{Addr: gateway.Addr().String()}

	var begun time.Time
	ctx := socks.WithTrace(context.Background(), &socks.Trace{
		RequestSent: func(command string, dst *socks.Addr) {
			begun = time.Now()
			fmt.Println(command, dst.Name, "sent by name:", !dst.IP.IsValid())
		},
		Replied: func(_ string, _, _ *socks.Addr, err error) {
			fmt.Println("replied in less than a minute:", time.Since(begun) < time.Minute, err)
		},
	})
	if _, err := client.Resolve(ctx, "intranet.example"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// RESOLVE intranet.example sent by name: true
	// replied in less than a minute: true <nil>
}

// ClientStats is a struct of numbers, which expvar prints as JSON.
func ExampleClientStats_expvar() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	client := &socks.Client{Addr: gateway.Addr().String()}
	stats := expvar.Func(func() any { return client.Stats() }) // in a program: expvar.Publish("gateway", stats)

	if _, err := client.Resolve(context.Background(), "intranet.example"); err != nil {
		log.Fatal(err)
	}
	var read struct{ Granted, Refused int }
	if err := json.Unmarshal([]byte(stats.String()), &read); err != nil { // as a monitoring program does
		log.Fatal(err)
	}
	fmt.Println(read.Granted, "granted,", read.Refused, "refused")
	// Output: 1 granted, 0 refused
}
