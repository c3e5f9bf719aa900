// The hook: Dialer of redis.Options, which is given the name. That alone is not enough: redis.NewClient looks
// the name up locally, to choose the EndpointType of its maintenance notifications, unless one is chosen.

// Package redis reaches a Redis server behind a gateway.
package redis

import (
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of the server of a URL, redis://user:password@host:port/db. The host is a name
// that the gateway knows.
func NewClient(d *dialer.Dialer, url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.Dialer = d.DialContext
	options.MaintNotificationsConfig = &maintnotifications.Config{EndpointType: maintnotifications.EndpointTypeNone}
	return redis.NewClient(options), nil
}
