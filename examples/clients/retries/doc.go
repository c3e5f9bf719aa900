// Package retries reports whether client libraries retry after an error of a Dialer as they do after package
// net's of the same meaning. Libraries look at the type, at Op, Timeout and Temporary, and at what is wrapped.
package retries
