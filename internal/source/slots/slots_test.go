package slots

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// queue is those who wait for slots, by name, and those who hold one.
type queue struct {
	t     *testing.T
	slots *Slots
	got   chan string
	frees map[string]func()
	ends  map[string]context.CancelCauseFunc
}

// testQueue runs a test in a bubble of synctest: nothing is waited for in vain.
func testQueue(t *testing.T, each, all int, test func(*queue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := &queue{
			t: t, slots: New(each, all), got: make(chan string, 100),
			frees: map[string]func(){}, ends: map[string]context.CancelCauseFunc{},
		}
		test(q)
		for _, end := range q.ends {
			end(context.Canceled)
		}
		synctest.Wait()
		for _, free := range q.frees {
			free()
		}
		if left := len(q.slots.held) + len(q.slots.waiting) + len(q.slots.turns); left != 0 || q.slots.free != all {
			t.Errorf("want nothing left of those who are gone, got %d entries and %d of %d slots free", left, q.slots.free, all)
		}
	})
}

// wait has somebody of a namespace wait.
func (q *queue) wait(namespace, name string) {
	q.t.Helper()
	ctx, end := context.WithCancelCause(q.t.Context())
	q.ends[name] = end
	go func() {
		free, err := q.slots.Acquire(ctx, namespace)
		if err != nil {
			q.got <- name + ": " + err.Error()
			return
		}
		q.frees[name] = free
		q.got <- name
	}()
	synctest.Wait()
}

// want fails unless these were told since the last call, in this order.
func (q *queue) want(names ...string) {
	q.t.Helper()
	synctest.Wait()
	var got []string
	for len(q.got) > 0 {
		got = append(got, <-q.got)
	}
	if diff := cmp.Diff(names, got); diff != "" {
		q.t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestANamespaceAloneLeavesRoomForAnother(t *testing.T) {
	t.Parallel()
	testQueue(t, 2, 3, func(q *queue) {
		for _, name := range []string{"a1", "a2", "a3", "a4"} {
			q.wait("a", name)
		}
		q.want("a1", "a2")
		q.wait("b", "b1")
		q.want("b1")
	})
}

func TestTheNextSlotGoesToTheNamespaceWhoseTurnItIs(t *testing.T) {
	t.Parallel()
	testQueue(t, 2, 2, func(q *queue) {
		for _, name := range []string{"a1", "a2", "a3", "a4", "a5"} {
			q.wait("a", name)
		}
		q.wait("b", "b1")
		q.wait("b", "b2")
		q.wait("c", "c1")
		q.want("a1", "a2")
		for _, step := range []struct{ free, want string }{
			{"a1", "a3"}, {"a2", "b1"}, {"a3", "c1"}, {"b1", "a4"}, {"c1", "b2"}, {"b2", "a5"},
		} {
			q.frees[step.free]()
			q.want(step.want)
		}
	})
}

func TestWhoHasItsShareIsPassedOver(t *testing.T) {
	t.Parallel()
	testQueue(t, 1, 2, func(q *queue) {
		q.wait("a", "a1")
		q.wait("a", "a2")
		q.wait("b", "b1")
		q.wait("c", "c1")
		q.want("a1", "b1")
		q.frees["b1"]()
		q.want("c1")
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	testQueue(t, 1, 1, func(q *queue) {
		q.wait("a", "a1")
		q.wait("a", "a2")
		q.wait("b", "b1")
		q.want("a1")
		q.ends["b1"](errors.New("no more"))
		q.want("b1: no more")
		q.frees["a1"]()
		q.want("a2")
	})
}

func TestASlotThatIsGivenBackTwiceIsOne(t *testing.T) {
	t.Parallel()
	testQueue(t, 1, 1, func(q *queue) {
		q.wait("a", "a1")
		q.frees["a1"]()
		q.frees["a1"]()
		q.wait("a", "a2")
		q.wait("b", "b1")
		q.want("a1", "a2")
	})
}

func TestMoreSlotsLetInThoseWhoWait(t *testing.T) {
	t.Parallel()
	testQueue(t, 2, 3, func(q *queue) {
		q.slots.Resize(1, 1)
		q.wait("a", "a1")
		q.wait("a", "a2")
		q.wait("b", "b1")
		q.want("a1")
		q.slots.Resize(1, 3)
		q.want("b1")
		q.slots.Resize(2, 3)
		q.want("a2")
	})
}

func TestFewerSlotsTakeNoneAway(t *testing.T) {
	t.Parallel()
	testQueue(t, 2, 3, func(q *queue) {
		q.wait("a", "a1")
		q.wait("a", "a2")
		q.wait("b", "b1")
		q.slots.Resize(1, 1)
		q.wait("c", "c1")
		q.want("a1", "a2", "b1")
		q.frees["a1"]()
		q.frees["b1"]()
		q.want()
		q.frees["a2"]()
		q.want("c1")
		q.slots.Resize(2, 3)
	})
}
