// Package docs tests what the documentation says: that its programs compile, that a test runs each of its commands,
// and that its links lead somewhere.
package docs
