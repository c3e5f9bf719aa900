module github.com/sockslib/sockslib/internal/interop/peers/gogateways

go 1.25.0

require (
	github.com/things-go/go-socks5 v0.1.1
	github.com/txthinking/socks5 v0.0.0-20250803014457-d3594b14cf12
	github.com/wzshiming/socks5 v0.7.0
)

require (
	github.com/patrickmn/go-cache v2.1.0+incompatible // indirect
	github.com/txthinking/runnergroup v0.0.0-20210608031112-152c7c4432bf // indirect
)
