package otel

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestObserve(t *testing.T) {
	n := behind.Start(t)
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(t.Context())
	r, err := Observe(provider.Meter("sockslib"), n.Dialer.Gateway.(*socks.Client), n.Dialer.Table)
	require.NoError(t, err)
	defer r.Unregister()

	c, err := n.Dialer.DialContext(n.Context(), "tcp", n.Address(n.Listen().Addr()))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "12345")
	require.NoError(t, err)
	_, err = n.Dialer.DialContext(n.Context(), "tcp", "unknown.sockslib.test:80")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)

	sums := collect(t, reader)
	require.EqualValues(t, 1, sums["socks.requests granted"])
	require.EqualValues(t, 1, sums["socks.requests refused"])
	require.EqualValues(t, 5, sums["socks.io transmit"])
	require.Positive(t, sums["socks.handshake.time"])
	require.EqualValues(t, 1, sums["socks.connections"])
	require.EqualValues(t, 2, sums["mapping.names"])
}

// collect returns the sums by name and attribute.
func collect(t *testing.T, reader *metric.ManualReader) map[string]float64 {
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	sums := make(map[string]float64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				name := m.Name
				for _, a := range p.Attributes.ToSlice() {
					name += " " + a.Value.AsString()
				}
				sums[name] = float64(p.Value)
			}
		case metricdata.Sum[float64]:
			sums[m.Name] = data.DataPoints[0].Value
		}
	}
	return sums
}
