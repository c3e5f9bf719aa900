// Package browsertest tests the page of package dialer/status, and examples/status that shows it, in a real
// browser, Debian's chromium. It is a module of its own, to keep the driver of the browser out of the library's
// dependencies.
//
//	go test ./...
//	go test -run TestDemonstration -screenshot ../../../docs/status.png .
//
// The latter takes the picture that the README shows.
package browsertest
