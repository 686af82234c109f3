package measure

import "testing"

func TestFiguresAreSummedUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given []float64
		want  Summary
	}{
		"none":                          {nil, Summary{}},
		"one":                           {[]float64{4}, Summary{Rounds: 1, Median: 4, Min: 4, Max: 4}},
		"an even number, in any order":  {[]float64{4, 1, 3, 2}, Summary{Rounds: 4, Median: 2.5, Min: 1, Max: 4}},
		"one that is far off":           {[]float64{2, 1, 100}, Summary{Rounds: 3, Median: 2, Min: 1, Max: 100}},
		"those that are below nothing":  {[]float64{-2, -1}, Summary{Rounds: 2, Median: -1.5, Min: -2, Max: -1}},
		"all the same, however many":    {[]float64{7, 7, 7, 7, 7}, Summary{Rounds: 5, Median: 7, Min: 7, Max: 7}},
		"the figures given stay sorted": {[]float64{1, 2, 3}, Summary{Rounds: 3, Median: 2, Min: 1, Max: 3}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Summarize(tc.given); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestQuantilesAreInterpolated(t *testing.T) {
	t.Parallel()
	sorted := []float64{0, 10, 20, 30, 40}
	for q, want := range map[float64]float64{0: 0, 0.25: 10, 0.99: 39.6, 1: 40} {
		if got := Quantile(sorted, q); got-want > 1e-9 || want-got > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}
