// Package clients tests the bundled gateway with independent clients.
package clients

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/interop/table"
)

const bare = "github.com/sockslib/sockslib/internal/interop/clients/bare"

func TestMain(m *testing.M) { peers.Main(m, table.Clients, peers.Build(bare)) }
