// The hooks: Stats of socks.Client and of mapping.Table, plain structs that OpenTelemetry's observable
// instruments read when metrics are collected.

// Package otel exports the counters of a gateway and of a table as OpenTelemetry metrics.
package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Observe registers the counters of c and t with a meter, until the registration is unregistered.
func Observe(m metric.Meter, c *socks.Client, t *mapping.Table) (metric.Registration, error) {
	var errs [6]error
	var requests, bytes, stale metric.Int64ObservableCounter
	var seconds metric.Float64ObservableCounter
	var open, names metric.Int64ObservableUpDownCounter
	requests, errs[0] = m.Int64ObservableCounter("socks.requests")
	bytes, errs[1] = m.Int64ObservableCounter("socks.io", metric.WithUnit("By"))
	seconds, errs[2] = m.Float64ObservableCounter("socks.handshake.time", metric.WithUnit("s")) // of granted requests
	open, errs[3] = m.Int64ObservableUpDownCounter("socks.connections")
	names, errs[4] = m.Int64ObservableUpDownCounter("mapping.names")
	stale, errs[5] = m.Int64ObservableCounter("mapping.stale")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s, of := c.Stats(), t.Stats()
		for outcome, n := range map[string]uint64{
			"granted": s.Granted, "refused": s.Refused, "gateway": s.GatewayFailed, "authentication": s.AuthFailed,
			"protocol": s.ProtocolErrors, "cancelled": s.Cancelled, "invalid": s.InvalidRequests,
		} {
			o.ObserveInt64(requests, int64(n), with("outcome", outcome))
		}
		o.ObserveInt64(bytes, int64(s.BytesRead), with("direction", "receive"))
		o.ObserveInt64(bytes, int64(s.BytesWritten), with("direction", "transmit"))
		o.ObserveFloat64(seconds, s.Handshake.Sum.Seconds())
		o.ObserveInt64(open, s.Open)
		o.ObserveInt64(names, int64(of.Names))
		o.ObserveInt64(stale, int64(of.Stale))
		return nil
	}, requests, bytes, seconds, open, names, stale)
}

func with(key, value string) metric.ObserveOption {
	return metric.WithAttributes(attribute.String(key, value))
}
