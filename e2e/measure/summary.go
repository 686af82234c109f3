package measure

import (
	"slices"
)

// Summary sums up the figures of several rounds.
type Summary struct {
	// Rounds is how many there were. Without one the others are 0.
	Rounds           int
	Median, Min, Max float64
}

// Summarize sums up the figures, which may be in any order.
func Summarize(figures []float64) Summary {
	if len(figures) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	return Summary{
		Rounds: len(sorted),
		Median: Quantile(sorted, 0.5),
		Min:    sorted[0],
		Max:    sorted[len(sorted)-1],
	}
}

// Quantile returns the figure that a share q of the sorted ones is not above: between two
// of them it is interpolated. It is 0 for none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}
