// Package stubs tests the resolver's search lists with the stub resolvers that programs have (package net's, glibc's
// and musl's), straight at the DNS server and behind the caches that are put before it.
package stubs
