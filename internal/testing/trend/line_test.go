package trend_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/trend"
)

// series returns n values at places 3 apart.
func series(n int, value func(i int) float64) (x, values []float64) {
	for i := range n {
		x = append(x, float64(3*i))
		values = append(values, value(i))
	}
	return x, values
}

func TestFit(t *testing.T) {
	x, values := series(11, func(i int) float64 { return 100 + 2*float64(i) })
	line, err := trend.Fit(x, values)
	if err != nil {
		t.Fatal(err)
	}
	want := trend.Line{Mean: 110, Growth: 20, From: 100, To: 120}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"mean", line.Mean, want.Mean}, {"growth", line.Growth, want.Growth}, {"noise", line.Noise, 0},
		{"first", line.From, want.From}, {"last", line.To, want.To},
	} {
		if math.Abs(tt.got-tt.want) > 1e-6 {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestFitRefuses(t *testing.T) {
	for name, values := range map[string][2]int{"too few": {7, 7}, "another number of places": {9, 8}} {
		if _, err := trend.Fit(make([]float64, values[0]), make([]float64, values[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := trend.Fit(make([]float64, 9), make([]float64, 9)); err == nil {
		t.Error("places that do not ascend: no error")
	}
}

// TestJudge has quantities that a run measures, and those that a leak makes.
func TestJudge(t *testing.T) {
	bound := trend.Bound{Share: 0.05, Least: 20}
	for _, tt := range []struct {
		name  string
		value func(r *rand.Rand, i int) float64
		want  error
	}{
		{"constant", func(_ *rand.Rand, i int) float64 { return 10_000 }, nil},
		{"zero", func(_ *rand.Rand, i int) float64 { return 0 }, nil},
		{"noise", func(r *rand.Rand, i int) float64 { return 10_000 + 500*r.NormFloat64() }, nil},
		{"a sawtooth, as of a heap", func(_ *rand.Rand, i int) float64 { return 10_000 + 100*float64(i%11) }, nil},
		{"growth within the share", func(r *rand.Rand, i int) float64 { return 10_000 + 2*float64(i) + 50*r.NormFloat64() }, nil},
		{"a few more of a small number", func(r *rand.Rand, i int) float64 { return 50 + float64(i)/20 }, nil},
		{"it shrinks", func(r *rand.Rand, i int) float64 { return 10_000 - 20*float64(i) }, nil},
		{"a leak", func(r *rand.Rand, i int) float64 { return 10_000 + 10*float64(i) + 50*r.NormFloat64() }, trend.ErrGrows},
		{"a leak in noise", func(r *rand.Rand, i int) float64 { return 10_000 + 20*float64(i) + 300*r.NormFloat64() }, trend.ErrGrows},
		{"a leak in a small number", func(r *rand.Rand, i int) float64 { return 10 + float64(i) }, trend.ErrGrows},
		{"a leak in a sawtooth", func(_ *rand.Rand, i int) float64 { return 10_000 + 20*float64(i) + 100*float64(i%11) }, trend.ErrGrows},
		{"too much noise", func(r *rand.Rand, i int) float64 { return 10_000 * (1 + r.NormFloat64()) }, trend.ErrUnclear},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(50) {
				r := rand.New(rand.NewPCG(seed, 1))
				line, err := trend.Fit(series(160, func(i int) float64 { return tt.value(r, i) }))
				if err != nil {
					t.Fatal(err)
				}
				if err := line.Judge(bound); !errors.Is(err, tt.want) {
					t.Fatalf("seed %d: %+v is judged as %v, want %v", seed, line, err, tt.want)
				}
			}
		})
	}
}

// TestSlowWavesAreNoGrowth checks that values which resemble their neighbours are not mistaken for
// growth.
func TestSlowWavesAreNoGrowth(t *testing.T) {
	grows := 0
	const runs = 300
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 2))
		drift := 0.0
		line, err := trend.Fit(series(160, func(int) float64 {
			drift = 0.8*drift + r.NormFloat64()
			return 1_000 + 50*drift
		}))
		if err != nil {
			t.Fatal(err)
		}
		if errors.Is(line.Judge(trend.Bound{Share: 0.01}), trend.ErrGrows) {
			grows++
		}
	}
	if grows > runs/50 {
		t.Errorf("%d of %d series without growth are said to grow", grows, runs)
	}
}
