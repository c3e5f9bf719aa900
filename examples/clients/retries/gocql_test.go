package retries

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/stretchr/testify/require"
)

// gocqlRetries counts how often a session dials a node for its connection pool. A session first needs a control
// connection, which a node of the test's serves; every later dial fails with err.
func gocqlRetries(t *testing.T, err error) bool {
	node, listenErr := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, listenErr)
	defer node.Close()
	served := make(chan error, 1)
	go func() { served <- serveControl(node) }() // ends when the session closes its connection; received below

	dials := &gocqlDialer{err: err}
	cluster := gocql.NewCluster(node.Addr().String())
	cluster.ProtoVersion = 4
	cluster.NumConns = 1
	cluster.DisableInitialHostLookup = true
	cluster.Events.DisableNodeStatusEvents = true
	cluster.Events.DisableTopologyEvents = true
	cluster.Events.DisableSchemaEvents = true
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 3}
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	cluster.Dialer = dials
	_, sessionErr := cluster.CreateSession()
	require.ErrorIs(t, sessionErr, gocql.ErrNoConnectionsStarted)
	require.NoError(t, <-served)

	pool := dials.made.Load() - 1
	require.Contains(t, []int32{1, 3}, pool, "one dial, or as many as the policy allows")
	return pool > 1
}

// gocqlDialer is a gocql.Dialer whose first dial succeeds.
type gocqlDialer struct {
	made atomic.Int32
	err  error
}

func (d *gocqlDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.made.Add(1) > 1 {
		return nil, d.err
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// Opcodes of the CQL binary protocol, version 4, section 2.4.
const (
	cqlStartup   = 0x01
	cqlReady     = 0x02
	cqlOptions   = 0x05
	cqlSupported = 0x06
	cqlQuery     = 0x07
	cqlResult    = 0x08
)

// serveControl accepts one connection and answers what a control connection asks until it is closed. The answer to every
// query is the row of system.local.
func serveControl(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	answers := map[byte]struct {
		opcode byte
		body   []byte
	}{
		cqlOptions: {cqlSupported, []byte{0, 0}}, // no options
		cqlStartup: {cqlReady, nil},
		cqlQuery:   {cqlResult, systemLocal()},
	}
	for {
		header := make([]byte, 9) // version, flags, stream, opcode, length
		if _, err := io.ReadFull(c, header); err != nil {
			return nil
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(header[5:]))); err != nil {
			return nil
		}
		answer := answers[header[4]]
		frame := []byte{0x84, 0, header[2], header[3], answer.opcode}
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(answer.body)))
		if _, err := c.Write(append(frame, answer.body...)); err != nil {
			return nil
		}
	}
}

// systemLocal is a RESULT of one row, section 4.2.5.2: the node's address, ID, version and rack.
func systemLocal() []byte {
	const rows, globalTable, varchar, uuid, inet = 2, 1, 0x0d, 0x0c, 0x10
	var b []byte
	integer := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }
	short := func(n int) { b = binary.BigEndian.AppendUint16(b, uint16(n)) }
	text := func(s string) { short(len(s)); b = append(b, s...) }

	columns := []struct {
		name  string
		kind  int
		value []byte
	}{
		{"rpc_address", inet, net.IPv4(127, 0, 0, 1).To4()},
		{"host_id", uuid, []byte("0123456789abcdef")},
		{"release_version", varchar, []byte("5.0.0")},
		{"rack", varchar, []byte("a")}, // without the column the session fails
	}
	integer(rows)
	integer(globalTable)
	integer(len(columns))
	text("system")
	text("local")
	for _, c := range columns {
		text(c.name)
		short(c.kind)
	}
	integer(1)
	for _, c := range columns {
		integer(len(c.value))
		b = append(b, c.value...)
	}
	return b
}
