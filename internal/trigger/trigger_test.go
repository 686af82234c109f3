package trigger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

type requests = workqueue.TypedRateLimitingInterface[reconcile.Request]

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// started returns a queue that the source fills, until the test ends.
func started(ctx context.Context, t *testing.T, s source.Source) requests {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	if err := s.Start(ctx, queue); err != nil {
		t.Fatal(err)
	}
	return queue
}

// drain takes everything that is in the queue.
func drain(queue requests) []types.NamespacedName {
	var names []types.NamespacedName
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		names = append(names, request.NamespacedName)
	}
	return names
}

func TestSourceCollectsEventsForADelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, trigger.Source(channel, time.Second, trigger.Itself))
		for range 10 {
			channel.Notify(named("a"))
		}
		channel.Notify(named("b"))
		<-time.After(999 * time.Millisecond)
		synctest.Wait()
		if got := drain(queue); len(got) > 0 {
			t.Errorf("want nothing before the delay is over, got %v", got)
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		got := drain(queue)
		if diff := cmp.Diff(map[types.NamespacedName]int{named("a"): 1, named("b"): 1}, countOf(got)); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func countOf(names []types.NamespacedName) map[types.NamespacedName]int {
	counts := make(map[types.NamespacedName]int)
	for _, name := range names {
		counts[name]++
	}
	return counts
}

func TestSourceWithoutADelayIsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, trigger.Source(channel, 0, trigger.Itself))
		before := time.Now()
		channel.Notify(named("a"))
		synctest.Wait()
		if diff := cmp.Diff([]types.NamespacedName{named("a")}, drain(queue)); diff != "" || !time.Now().Equal(before) {
			t.Errorf("requests after %s (-want +got):\n%s", time.Since(before), diff)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func TestSourcePutsInWhatTheFunctionReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, trigger.Source(channel, 0, func(_ context.Context, name types.NamespacedName) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: named(name.Name + "-1")}, {NamespacedName: named(name.Name + "-2")}}
		}))
		channel.Notify(named("a"))
		synctest.Wait()
		want := map[types.NamespacedName]int{named("a-1"): 1, named("a-2"): 1}
		if diff := cmp.Diff(want, countOf(drain(queue))); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func TestNotifyWaitsForAController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		returned := false
		go func() {
			channel.Notify(named("a"))
			returned = true
		}()
		synctest.Wait()
		if returned {
			t.Error("Notify returned although no controller received the event")
		}
		queue := started(ctx, t, trigger.Source(channel, 0, trigger.Itself))
		synctest.Wait()
		if got := drain(queue); !returned || len(got) != 1 {
			t.Errorf("want the event delivered, got %v", got)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func TestNotifyReturnsWhenItsContextIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		returned := false
		go func() {
			channel.Notify(named("a"))
			returned = true
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !returned {
			t.Error("Notify still waits")
		}
		// And it does not wait at all after that.
		channel.Notify(named("b"))
	})
}
