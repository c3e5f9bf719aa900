package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestSampleIsComparedRoundByRound(t *testing.T) {
	s := Sample{4, 1, 3, 2, 5}
	require.Equal(t, 3.0, s.Median())
	low, high := s.Quartiles()
	require.Equal(t, [2]float64{2, 4}, [2]float64{low, high})
	require.Equal(t, 2.5, Sample{1, 4, 2, 3}.Median())
	require.True(t, math.IsNaN(Sample{}.Median()))
	require.Equal(t, Sample{2, 0.5}, Sample{4, 1}.Over(Sample{2, 2, 9}))
	require.Equal(t, Sample{2, -1}, Sample{4, 1}.Minus(Sample{2, 2}))
	require.Equal(t, Sample{5, 2}, Sample{4, 1}.Plus(1))
	require.Equal(t, "3 (2–4)", s.String())
	require.Equal(t, "1", Sample{1, 1, 1}.String())
	require.Equal(t, Sample{4, 1, 3, 2, 5}, s, "sorted in place")
}

func TestNumberHasThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 3: "3", 0.034: "0.034", 0.97: "0.97", 2.149: "2.15", 12.34: "12.3", 123.4: "123", 6543: "6543", 65432: "65 k", 1.5e6: "1.50 M", 1e7: "10 M", -3: "-3",
	} {
		require.Equal(t, want, Number(v))
	}
	require.Equal(t, "–", Number(math.NaN()))
}

func TestFigurePassesWithinItsBound(t *testing.T) {
	require.True(t, AtMost("", Sample{1, 2, 9}, 2).Pass())
	require.False(t, AtMost("", Sample{1, 2.1, 9}, 2).Pass())
	require.True(t, AtLeast("", Sample{1, 2, 9}, 2).Pass())
	require.False(t, AtLeast("", Sample{1, 1.9, 9}, 2).Pass())
}

func TestColumnsAndPointsAreAdded(t *testing.T) {
	table := NewTable("what", []string{"**one**", "two"})
	AddColumn(table, "floats", []float64{1.5, 2})
	AddColumn(table, "samples", []Sample{{1}, {2}})
	require.Equal(t, &Table{
		Head: []string{"what", "floats", "samples"},
		Rows: [][]string{{"**one**", "1.50", "1"}, {"two", "2", "2"}},
	}, table)
	p := &Plot{Lines: NewLines([]string{"**one**", "two"})}
	p.Add(10, Medians([]Sample{{1, 3, 2}, {4}}))
	p.Add(20, []float64{5, 6})
	require.Equal(t, []Line{{"one", []float64{10, 20}, []float64{2, 5}}, {"two", []float64{10, 20}, []float64{4, 6}}}, p.Lines)
}

func TestDocumentIsWritten(t *testing.T) {
	table := &Table{Head: []string{"what", "how much"}}
	table.Row("one", 1.0)
	d := &Document{Peers: []string{"peer v1"}, Sections: []*Section{{
		Title: "Things", Text: "\nMeasured so.", Figures: []Figure{AtMost("thing", Sample{1}, 2), AtLeast("other", Sample{1}, 2)},
		Parts: []Part{table, &Plot{File: "p.svg", Title: "Plot", Lines: []Line{{"line", []float64{1, 2}, []float64{3, 4}}}}},
	}}}
	out := t.TempDir()
	require.NoError(t, d.Save(out))
	text, err := os.ReadFile(filepath.Join(out, "PERFORMANCE.md"))
	require.NoError(t, err)
	for _, want := range []string{
		"- peer v1\n", "| thing | 1 | ≤ 2 | pass |\n", "| other | 1 | ≥ 2 | **short** |\n",
		"## Things\n\nMeasured so.\n\n| what | how much |\n|---|---|\n| one | 1 |\n", "![Plot](performance/p.svg)",
	} {
		require.Contains(t, string(text), want)
	}
	more := "\n## Measured elsewhere\n\nBy hand.\n"
	require.NoError(t, os.WriteFile(filepath.Join(out, "PERFORMANCE.md"), append(text, more...), 0o644))
	for range 2 {
		require.NoError(t, d.Save(out))
		again, err := os.ReadFile(filepath.Join(out, "PERFORMANCE.md"))
		require.NoError(t, err)
		require.Equal(t, string(text)+more, string(again), "the part written by hand stays")
	}
	picture, err := os.ReadFile(filepath.Join(out, "performance", "p.svg"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(picture), "<?xml"))
	require.Contains(t, string(picture), "line")
}
