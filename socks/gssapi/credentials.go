package gssapi

import (
	"fmt"
	"os"
	"strings"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// Credentials authenticate the user to Kerberos. The zero value is equivalent to Cache(""). They are safe for
// concurrent use. Printing them shows no secret, because secrets are in a closure.
type Credentials struct {
	ticket func(config, service string) (*krb5.Ticket, error)
}

// Cache returns the credentials in a credential cache file, as kinit or a login makes it. The file is read again
// for each ticket. An empty path stands for $KRB5CCNAME, or for /tmp/krb5cc_UID if that is not set. The path may
// have the prefix "FILE:"; with other types of cache, such as KEYRING, KCM or DIR, getting a ticket fails.
func Cache(path string) Credentials {
	return Credentials{func(config, service string) (*krb5.Ticket, error) {
		file, err := cacheFile(path)
		if err != nil {
			return nil, err
		}
		return krb5.FromCache(file, config, service)
	}}
}

// Keytab returns the credentials of a principal, such as "alice@EXAMPLE.COM", with its key in the keytab file at
// path. Without a realm in principal, the realm is krb5.conf's default_realm. The file is read again for each
// ticket.
func Keytab(path, principal string) Credentials {
	return Credentials{func(config, service string) (*krb5.Ticket, error) {
		return krb5.FromKeytab(path, principal, config, service)
	}}
}

// Password returns the credentials of a principal, in the form of [Keytab]'s, with its password.
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

// configFile returns the path of krb5.conf.
func (a *Auth) configFile() string {
	if a.Config != "" {
		return a.Config
	}
	if path := os.Getenv("KRB5_CONFIG"); path != "" {
		return path
	}
	return "/etc/krb5.conf"
}
