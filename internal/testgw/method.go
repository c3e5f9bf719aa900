package testgw

import (
	"context"
	"errors"
	"net"
)

// negotiate runs one of the Gateway's Methods.
func (s *session) negotiate(ctx context.Context, method func(context.Context, net.Conn) (net.Conn, string, error)) error {
	conn, user, err := method(ctx, s.conn)
	if err != nil {
		return errors.Join(err, errRefused)
	}
	s.conn, s.request.User = conn, user
	s.r.Reset(conn)
	return nil
}
