//go:build !race

package lab

// raced reports whether the tests, and so socksify, run under the race detector.
const raced = false
