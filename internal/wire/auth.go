package wire

import (
	"errors"
	"fmt"
)

// AppendMethods appends the client's greeting, which offers 1 to 255 methods, RFC 1928, section 3.
func AppendMethods(b []byte, methods ...byte) ([]byte, error) {
	if len(methods) == 0 || len(methods) > maxField {
		return nil, fmt.Errorf("%d methods, not 1 to %d", len(methods), maxField)
	}
	return append(append(b, Version, byte(len(methods))), methods...), nil
}

// ReadMethods reads a greeting, and returns the methods that it offers. The slice is valid until the next call.
func (r *Reader) ReadMethods() ([]byte, error) {
	n, err := r.pair("greeting", Version)
	if err != nil {
		return nil, err
	}
	return r.rest(int(n))
}

// AppendMethod appends the gateway's choice of a method.
func AppendMethod(b []byte, method byte) []byte { return append(b, Version, method) }

// ReadMethod reads the gateway's choice of a method.
func (r *Reader) ReadMethod() (byte, error) { return r.pair("method reply", Version) }

// AppendUserPass appends a username and password, RFC 1929. The username must have 1 to 255 bytes, and the password
// at most 255; gateways accept an empty password, although the RFC does not allow it. The error contains neither.
func AppendUserPass(b []byte, username, password string) ([]byte, error) {
	switch {
	case username == "":
		return nil, errors.New("empty username")
	case len(username) > maxField:
		return nil, fmt.Errorf("username of more than %d bytes", maxField)
	case len(password) > maxField:
		return nil, fmt.Errorf("password of more than %d bytes", maxField)
	}
	b = append(append(b, UserPassVersion, byte(len(username))), username...)
	return append(append(b, byte(len(password))), password...), nil
}

// ReadUserPass reads a username and password.
func (r *Reader) ReadUserPass() (username, password string, err error) {
	version, err := r.next(1)
	if err != nil {
		return "", "", err
	}
	if version[0] != UserPassVersion {
		return "", "", versionError("username/password request", version, UserPassVersion)
	}
	if username, err = r.field(); err != nil {
		return "", "", err
	}
	if password, err = r.field(); err != nil {
		return "", "", err
	}
	return username, password, nil
}

// AppendStatus appends the gateway's answer to a username and password.
func AppendStatus(b []byte, status byte) []byte { return append(b, UserPassVersion, status) }

// ReadStatus reads the gateway's answer to a username and password. A status other than StatusSuccess is a refusal.
func (r *Reader) ReadStatus() (byte, error) {
	return r.pair("username/password reply", UserPassVersion)
}
