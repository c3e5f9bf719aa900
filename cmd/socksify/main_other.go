//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "socksify: works on Linux only")
	os.Exit(125)
}
