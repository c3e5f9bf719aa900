// Package retries tests that client libraries retry after an error of a Dialer as they do after package net's
// error with the same meaning. Libraries look at the type, at Op, Timeout and Temporary, and at wrapped errors.
package retries
