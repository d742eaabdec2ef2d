package latency

import (
	"math"
	"testing"
	"time"
)

func TestQuantileIsWithinThreePercent(t *testing.T) {
	var h Histogram
	for i := range 10_000 {
		h.Record(time.Duration(i+1) * time.Microsecond)
	}
	var c Counts
	c.Add(&h)
	for _, q := range []float64{0, 0.01, 0.5, 0.99, 1} {
		want := float64(time.Duration(1+q*9_999) * time.Microsecond)
		if got := float64(c.Quantile(q)); math.Abs(got/want-1) > 0.03 {
			t.Errorf("Quantile(%v) = %v, want about %v", q, time.Duration(got), time.Duration(want))
		}
	}
}

func TestEveryDurationHasABucket(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 31, 32, 33, 63, 64, 65, time.Second, math.MaxInt64} {
		var h Histogram
		h.Record(d)
		var c Counts
		c.Add(&h)
		want := float64(max(d, 0))
		if got := float64(c.Quantile(0.5)); math.Abs(got-want) > 0.03*want {
			t.Errorf("Record(%d) is reported as %v", d, got)
		}
	}
}

func TestSubLeavesLaterCounts(t *testing.T) {
	var h Histogram
	h.Record(time.Second)
	var earlier, now Counts
	earlier.Add(&h)
	h.Record(time.Millisecond)
	now.Add(&h)
	now.Sub(&earlier)
	if got := now.Quantile(1); got > 2*time.Millisecond {
		t.Errorf("Quantile(1) = %v after Sub, want about 1ms", got)
	}
}
