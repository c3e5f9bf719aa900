package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestEachStepIsToldInOrder(t *testing.T) {
	defer func(r *net.Resolver) { net.DefaultResolver = r }(net.DefaultResolver)
	var out bytes.Buffer
	n := &narrator{out: &out}
	require.NoError(t, run(t.Context(), n))
	require.Zero(t, n.failed, out.String())
	require.Greater(t, n.passed, 12)

	_, second, found := strings.Cut(out.String(), "\n2. ")
	require.True(t, found)
	second, _, _ = strings.Cut(second, "\n3. ")
	for _, step := range []string{"name asked", "fake given", "SOCKS request", "CONNECT " + webName, "gateway resolved", "reply", "fetched", "200 OK"} {
		_, after, found := strings.Cut(second, step)
		require.True(t, found, "%q is missing or out of order in\n%s", step, out.String())
		second = after
	}
}

func TestWhatIsNotSoIsCounted(t *testing.T) {
	var out bytes.Buffer
	n := &narrator{out: &out}
	n.check(false, "the moon is %s", "cheese")
	n.summary()
	require.Equal(t, 1, n.failed)
	require.Contains(t, out.String(), "NOT SO")
	require.Contains(t, out.String(), "the moon is cheese")
	require.Contains(t, out.String(), "0 of 1 checks hold")
}
