module github.com/sockslib/sockslib/cmd/socksify

go 1.26.3

replace github.com/sockslib/sockslib => ../..

require (
	github.com/sockslib/sockslib v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.47.0
	gvisor.dev/gvisor v0.0.0-20260527191743-a81fd9dd382e
)

require (
	github.com/google/btree v1.1.2 // indirect
	github.com/miekg/dns v1.1.73 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20250711185948-6ae5c78190dc // indirect
	golang.org/x/net v0.58.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)
