module github.com/sockslib/sockslib/socks/gssapi

go 1.25.0

require github.com/go-krb5/krb5 v0.1.0

require (
	github.com/go-crypt/x v0.4.12 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

require (
	github.com/go-krb5/x v0.3.2
	github.com/sockslib/sockslib v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.58.0
)

replace github.com/sockslib/sockslib => ../..
