package stubs

import (
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/pod"
)

func TestMain(m *testing.M) {
	pod.Main(map[string]func() error{"walk": walkTask})
	leakcheck.Main(m)
}
