package library

import (
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestAFailureThatRepeatsIsNoNews(t *testing.T) {
	t.Parallel()
	j := newJobs(t.Context(), jobsConfig[string, int]{
		clock:    clocktesting.NewFakePassiveClock(time.Unix(0, 0)),
		same:     func(a, b int) bool { return a == b },
		interval: time.Minute,
	})
	known := &job[string, int]{owners: map[types.NamespacedName]bool{{Name: "calico"}: true}}
	away := func() error { return errors.New("the server answered 503") }
	steps := []struct {
		what      string
		givenErr  error
		givenWhat int
		want      bool
	}{
		{"the first result", nil, 1, true},
		{"the same result again", nil, 1, false},
		{"a failure", away(), 0, true},
		{"the same failure again", away(), 0, false},
		{"another failure", errors.New("the server answered 404"), 0, true},
		{"the result of before", nil, 1, true},
		{"another result", nil, 2, true},
	}
	for _, step := range steps {
		if got := len(j.finish(known, fingerprint{}, step.givenWhat, step.givenErr)) > 0; got != step.want {
			t.Errorf("%s: want news %t, got %t", step.what, step.want, got)
		}
	}
}
