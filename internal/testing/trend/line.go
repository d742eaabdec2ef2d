package trend

import (
	"errors"
	"fmt"
	"math"
)

// Fewest is the least number of values that Fit accepts.
const Fewest = 8

// confidence is the number of standard errors that Noise has: growth by chance alone exceeds it in
// about one of a thousand runs.
const confidence = 3

// Line is the least-squares line through the values of a quantity.
type Line struct {
	// Mean is the mean of the values.
	Mean float64
	// Growth is how much the line rises from the first value to the last.
	Growth float64
	// Noise is how much of Growth may be due to chance: three standard errors.
	Noise float64
	// From and To are the line's values at the first and the last place.
	From, To float64
}

// Fit returns the line through the values at the places x, which must ascend. The places are
// usually times in seconds.
//
// Values that are measured in quick succession resemble each other, and a line through them
// seems more certain than it is. So the number of values is reduced by the correlation of each
// deviation from the line with the next one, as is usual for trends in time series.
func Fit(x, values []float64) (Line, error) {
	n := len(values)
	if len(x) != n || n < Fewest {
		return Line{}, fmt.Errorf("trend: %d values at %d places, want at least %d of each", n, len(x), Fewest)
	}
	for i := 1; i < n; i++ {
		if !(x[i] > x[i-1]) {
			return Line{}, fmt.Errorf("trend: place %d, %v, is not after %v", i, x[i], x[i-1])
		}
	}
	var meanX, mean float64
	for i := range n {
		meanX += x[i] / float64(n)
		mean += values[i] / float64(n)
	}
	var xx, xy float64
	for i := range n {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (values[i] - mean)
	}
	slope := xy / xx
	var squares, products, last float64
	for i := range n {
		deviation := values[i] - mean - slope*(x[i]-meanX)
		squares += deviation * deviation
		products += deviation * last
		last = deviation
	}
	effective := float64(n)
	if squares > 0 {
		// A negative correlation does not make the line more certain than independent values.
		correlation := min(max(products/squares, 0), 0.95)
		effective = max(effective*(1-correlation)/(1+correlation), 3)
	}
	width := x[n-1] - x[0]
	return Line{
		Mean:   mean,
		Growth: slope * width,
		Noise:  confidence * math.Sqrt(squares/(effective-2)/xx) * width,
		From:   mean + slope*(x[0]-meanX),
		To:     mean + slope*(x[n-1]-meanX),
	}, nil
}

// Bound is how much a quantity may grow.
type Bound struct {
	// Share is the part of the mean, such as 0.05.
	Share float64
	// Least is allowed in any case, in the unit of the values: a few goroutines more or less
	// are no leak.
	Least float64
}

// Of returns the growth that b allows for a quantity with that mean.
func (b Bound) Of(mean float64) float64 { return max(b.Share*mean, b.Least) }

// The errors of Judge.
var (
	// ErrGrows: the quantity grows by more than the bound.
	ErrGrows = errors.New("it grows")
	// ErrUnclear: the values vary so much that growth by three times the bound cannot be excluded.
	// More values are needed.
	ErrUnclear = errors.New("it varies too much to tell whether it grows")
)

// unclear is how many times the bound growth with the noise may be.
const unclear = 3

// Judge returns nil if the growth is within b. It returns an ErrGrows if growth without the noise
// exceeds b, and otherwise an ErrUnclear if growth with the noise exceeds three times b.
func (l Line) Judge(b Bound) error {
	limit := b.Of(l.Mean)
	switch {
	case l.Growth-l.Noise > limit:
		return fmt.Errorf("%w by %.4g ± %.2g, more than %.4g, with a mean of %.4g", ErrGrows, l.Growth, l.Noise, limit, l.Mean)
	case l.Growth+l.Noise > unclear*limit:
		return fmt.Errorf("%w: %.4g ± %.2g, with a bound of %.4g and a mean of %.4g", ErrUnclear, l.Growth, l.Noise, limit, l.Mean)
	}
	return nil
}
