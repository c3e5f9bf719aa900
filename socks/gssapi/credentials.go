package gssapi

import (
	"fmt"
	"os"
	"strings"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// Credentials are the user's name in Kerberos and the proof of it. The zero value is Cache(""). Secrets
// are in a closure and never print.
type Credentials struct {
	ticket func(config, service string) (*krb5.Ticket, error)
}

// Cache is what kinit, or a login, has left: a credential cache file, which is read again for each ticket.
// An empty path stands for $KRB5CCNAME, and without that for /tmp/krb5cc_UID. Before a path there may be
// "FILE:"; other types of cache, KEYRING, KCM, DIR and so on, are an error.
func Cache(path string) Credentials {
	return Credentials{func(config, service string) (*krb5.Ticket, error) {
		file, err := cacheFile(path)
		if err != nil {
			return nil, err
		}
		return krb5.FromCache(file, config, service)
	}}
}

// Keytab is the key of a principal, "alice@EXAMPLE.COM", in a keytab file. Without a realm, the
// configuration's default_realm is taken. The file is read again for each ticket.
func Keytab(path, principal string) Credentials {
	return Credentials{func(config, service string) (*krb5.Ticket, error) {
		return krb5.FromKeytab(path, principal, config, service)
	}}
}

// Password is a principal, written as for Keytab, and its password.
func Password(principal, password string) Credentials {
	return Credentials{func(config, service string) (*krb5.Ticket, error) {
		return krb5.FromPassword(principal, password, config, service)
	}}
}

func cacheFile(name string) (string, error) {
	if name == "" {
		name = os.Getenv("KRB5CCNAME")
	}
	if name == "" {
		return fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), nil
	}
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok, len(kind) <= 1, strings.ContainsAny(kind, `/\`): // a path, on Windows too
		return name, nil
	case kind == "FILE":
		return path, nil
	}
	return "", fmt.Errorf("the credential cache %q is of a type that cannot be read; FILE can", name)
}

// configFile is where krb5.conf is.
func (a *Auth) configFile() string {
	if a.Config != "" {
		return a.Config
	}
	if path := os.Getenv("KRB5_CONFIG"); path != "" {
		return path
	}
	return "/etc/krb5.conf"
}
