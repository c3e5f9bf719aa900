module github.com/sockslib/sockslib/cmd/socksify/internal/lab

go 1.26.3

replace github.com/sockslib/sockslib => ../../../..

require (
	github.com/quic-go/quic-go v0.65.0
	github.com/sockslib/sockslib v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
)

require (
	github.com/quic-go/qpack v0.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/net v0.58.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
