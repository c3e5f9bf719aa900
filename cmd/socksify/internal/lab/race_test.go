//go:build race

package lab

// raced says that the tests run under the race detector, and so does socksify then.
const raced = true
