// Package docs tests the documentation: that its programs compile, that a test runs each of its commands, that the files
// it names exist, and that its figures hold.
package docs
