package remote

import (
	"net/http"
	"testing"
	"time"
)

func TestGoalsAreReachedByTheLastWatchThatIsAwaited(t *testing.T) {
	t.Parallel()
	o, start := newObserver(3), time.Unix(1000, 0)
	o.reset([]int{2, 0, 1})
	open := func() bool {
		select {
		case <-o.awaited():
			return false
		default:
			return true
		}
	}
	for i, note := range []struct {
		cluster int
		watch   bool
	}{{0, false}, {0, true}, {1, true}, {2, true}} {
		o.note(note.cluster, note.watch, start.Add(time.Duration(i)*time.Second))
		if !open() {
			t.Fatalf("all is there before the second watch of the first cluster")
		}
	}
	o.note(0, true, start.Add(4*time.Second))
	if open() {
		t.Fatal("all is there, and is awaited")
	}
	first, watched := o.times()
	if !first[0].Equal(start) || !watched[0].Equal(start.Add(4*time.Second)) ||
		!watched[1].IsZero() || !watched[2].Equal(start.Add(3*time.Second)) {
		t.Errorf("first %v, watched %v", first, watched)
	}
	o.note(0, true, start.Add(5*time.Second)) // A further watch changes nothing.
}

func TestNothingIsAwaitedWithoutGoals(t *testing.T) {
	t.Parallel()
	o := newObserver(1)
	o.reset(nil)
	<-o.awaited()
	o.note(0, true, time.Unix(1, 0))
	o.reset([]int{0})
	<-o.awaited()
	if first, _ := o.times(); !first[0].IsZero() {
		t.Errorf("a reset keeps %v", first)
	}
}

func TestAWatchIsToldFromAList(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"/api/v1/pods?watch=true": true, "/api/v1/pods?watch=1&timeoutSeconds=9": true,
		"/api/v1/pods": false, "/api/v1/pods?watch=false": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := isWatch(r); got != want {
			t.Errorf("%s is a watch: %v", url, got)
		}
	}
}
