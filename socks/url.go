package socks

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// defaultPort is the port of SOCKS servers (RFC 1928, section 3).
const defaultPort = "1080"

// ParseURL returns a new [Client] for a gateway's URL:
//
//	socks5://[user[:password]@]host[:port]       port 1080 if absent
//	socks5h://…                                  the same: host names are always sent to the gateway
//	socks5s://…                                  TLS to the gateway, whose certificate must be valid for host;
//	                                             later connections resume the TLS session
//	socks5+unix://[user[:password]@]/path        a unix socket
//
// With a user, the Client offers [UserPass], then [NoAuth]; without, only NoAuth. The error for a malformed URL
// does not contain the credentials.
func ParseURL(rawURL string) (*Client, error) {
	if err := checkShape(rawURL); err != nil {
		return nil, urlError(err)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		// The error of url.Parse may quote any part of the URL, such as the password.
		return nil, urlError(errors.New("malformed; percent-encode special characters in the user and the password"))
	}
	c := new(Client)
	if err := c.setAddress(u); err != nil {
		return nil, urlError(err)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		auth := UserPass(u.User.Username(), password)
		if err := auth.(userPass).invalid; err != nil {
			return nil, urlError(err)
		}
		c.Auth = []Auth{auth, NoAuth}
	}
	return c, nil
}

// urlError wraps an error, which must not quote the URL.
func urlError(err error) error { return fmt.Errorf("gateway URL: %w", err) }

// checkShape returns an error for common mistakes that url.Parse reports misleadingly, or not at all.
func checkShape(rawURL string) error {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	switch {
	case rawURL == "":
		return errors.New("empty")
	case strings.TrimSpace(rawURL) != rawURL:
		return errors.New("white space before or after it")
	case !ok, scheme == "":
		return errors.New("no scheme: want socks5://host:port, or socks5h, socks5s or socks5+unix")
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	host, _, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "%")
	if strings.Count(host, ":") > 1 && strings.Trim(host, "0123456789abcdefABCDEF:.") == "" {
		return errors.New("an IPv6 address needs brackets")
	}
	return nil
}

// errOtherParts is the error for a URL with a query, a fragment, or a path that is not a socket's.
var errOtherParts = errors.New("more than scheme, user, host and port")

// setAddress sets Network, Addr and TLS from u.
func (c *Client) setAddress(u *url.URL) (err error) {
	if u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return errOtherParts
	}
	switch u.Scheme {
	case "socks5", "socks5h":
		c.Addr, err = hostPort(u)
	case "socks5s":
		c.TLS = &tls.Config{ServerName: u.Hostname(), ClientSessionCache: tls.NewLRUClientSessionCache(0)}
		c.Addr, err = hostPort(u)
	case "socks5+unix":
		c.Network = "unix"
		c.Addr, err = socketPath(u)
	default:
		err = errors.New("unknown scheme: want socks5, socks5h, socks5s or socks5+unix")
	}
	return err
}

// socketPath returns the path of the unix socket in u.
func socketPath(u *url.URL) (string, error) {
	if u.Host != "" || u.Path == "" {
		return "", errors.New("a unix socket has a path and no host")
	}
	return u.Path, nil
}

// hostPort returns "host:port" from u, with the default port if u has none.
func hostPort(u *url.URL) (string, error) {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return "", errors.New("no host")
	}
	if u.Path != "" && u.Path != "/" {
		return "", errOtherParts
	}
	if port == "" {
		port = defaultPort
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("port outside 0 to 65535")
	}
	address := net.JoinHostPort(host, port)
	_, _, err := net.SplitHostPort(address)
	if _, literal := netip.ParseAddr(host); err != nil || literal != nil && strings.Contains(host, ":") {
		return "", errors.New("malformed host") // url.Parse allows brackets and, with a GODEBUG setting, colons
	}
	return address, nil
}
