// Package stubs tests the resolver's search rule with the stub resolvers that programs use: package net's, glibc's and
// musl's. They ask the DNS server directly, and through caches.
package stubs
