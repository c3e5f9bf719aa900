// Package browsertest tests the page of package dialer/status, and examples/status, which serves it, in Debian's
// chromium. It is a separate module, to keep the browser's driver out of the library's dependencies.
//
//	go test ./...
//	go test -run TestDemonstration -screenshot ../../../docs/status.png .
//
// The second command takes the picture in the README.
package browsertest
