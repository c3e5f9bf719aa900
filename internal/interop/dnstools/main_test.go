// Package dnstools tests the DNS server with the tools that operators use: dig, kdig, drill and dnsperf.
package dnstools

import (
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
