// Package gateways tests the library with independent gateways.
package gateways

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/interop/table"
)

func TestMain(m *testing.M) { peers.Main(m, table.Gateways, peers.BuildGoGateways) }
