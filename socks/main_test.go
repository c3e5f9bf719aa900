package socks_test

import (
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/pod"
)

var (
	tasks   = map[string]func() error{} // functions that pod.Run runs in their own namespaces
	running *testing.M
)

func TestMain(m *testing.M) {
	running = m
	pod.Main(tasks)
	leakcheck.Main(m)
}
