package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoMapsKeepNamesAndAddresses(t *testing.T) {
	m := newTwoMaps()
	for _, name := range []string{"one.example", "two.example", "one.example"} {
		addr, err := m.Assign("ip4", name)
		require.NoError(t, err)
		back, ok := m.Name(addr)
		require.True(t, ok)
		require.Equal(t, name, back)
	}
	require.Len(t, m.names, 2)
	_, ok := m.Name(m.next)
	require.False(t, ok)
}
