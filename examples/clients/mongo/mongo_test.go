package mongo

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// opMsg is the only kind of message that a client with a server API sends, and header the length of its header.
const (
	opMsg  = 2013
	header = 16
)

// serve implements the part of a MongoDB server that a ping needs: a real one is neither in Debian nor written in Go.
func serve(c net.Conn) error {
	defer c.Close()
	for {
		var head [header]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		message := make([]byte, binary.LittleEndian.Uint32(head[0:])-header)
		if _, err := io.ReadFull(c, message); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(head[12:]) != opMsg || message[4] != 0 {
			return errors.New("not a message of one document")
		}
		body, err := bson.Marshal(answer(bson.Raw(message[5:])))
		if err != nil {
			return err
		}
		reply := binary.LittleEndian.AppendUint32(nil, uint32(header+5+len(body)))
		reply = append(reply, 1, 0, 0, 0)
		reply = append(reply, head[4:8]...) // responseTo
		reply = binary.LittleEndian.AppendUint32(reply, opMsg)
		reply = append(reply, 0, 0, 0, 0, 0) // no flags, one document
		if _, err := c.Write(append(reply, body...)); err != nil {
			return err
		}
	}
}

func answer(command bson.Raw) bson.D {
	if _, err := command.LookupErr("hello"); err == nil {
		return bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "maxWireVersion", Value: 21}, {Key: "maxBsonObjectSize", Value: 16 << 20},
			{Key: "maxMessageSizeBytes", Value: 48 << 20}, {Key: "maxWriteBatchSize", Value: 1000}, {Key: "ok", Value: 1}}
	}
	return bson.D{{Key: "ok", Value: 1}}
}

func TestMongo(t *testing.T) {
	n := behind.Start(t)
	serverTLS, clientTLS := behind.TLS(t)
	l := tls.NewListener(n.Listen(), serverTLS)
	go func() { // owned by the test; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c) // ends with the client
		}
	}()
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client, err := Connect(n.Dialer, "mongodb://"+n.Address(l.Addr()), clientTLS)
		return behind.Session{
			Use: func(ctx context.Context) error { return client.Ping(ctx, nil) },
			End: func() { client.Disconnect(context.Background()) },
		}, err
	})
}
