package outcome

import (
	"math"
	"slices"
	"time"
)

// Spread is how a time differs between Clusters, in seconds.
type Spread struct {
	Of  int     `json:"of"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// SpreadOf returns the spread of the times. A percentile is the smallest time that so many per
// cent of all do not exceed.
func SpreadOf(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(percent float64) float64 {
		rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
		return sorted[max(rank, 1)-1].Seconds()
	}
	return Spread{Of: len(sorted), P50: at(50), P99: at(99), Max: at(100)}
}
