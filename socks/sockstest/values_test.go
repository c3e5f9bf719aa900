package sockstest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
)

// The values that Server passes on to its gateway have the same meaning there.
func TestValuesMeanTheSameInTestgw(t *testing.T) {
	require.Equal(t, []Stage{StageMethod, StageStatus, StageReply, StageSecondReply, StageDatagram}, []Stage{
		Stage(testgw.StageMethod), Stage(testgw.StageStatus), Stage(testgw.StageReply), Stage(testgw.StageSecondReply), Stage(testgw.StageDatagram),
	})
	require.Equal(t, []Command{Connect, Bind, Associate, Resolve, ResolvePTR}, []Command{
		Command(wire.Connect), Command(wire.Bind), Command(wire.Associate), Command(wire.Resolve), Command(wire.ResolvePTR),
	})
}
