package trigger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

func TestSourceCollectsNewsForAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, channel.Source(time.Second))
		for range 10 {
			channel.Wake(named("a"))
		}
		channel.Wake(named("b"))
		<-time.After(999 * time.Millisecond)
		synctest.Wait()
		if got := drain(queue); len(got) > 0 {
			t.Errorf("want nothing before the pause is over, got %v", got)
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

func TestSourceWithoutAPauseIsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, channel.Source(0))
		before := time.Now()
		channel.Wake(named("a"))
		synctest.Wait()
		if diff := cmp.Diff([]types.NamespacedName{named("a")}, drain(queue)); diff != "" || !time.Now().Equal(before) {
			t.Errorf("requests after %s (-want +got):\n%s", time.Since(before), diff)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func TestMappedPutsInWhatTheFunctionReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		queue := started(ctx, t, channel.Mapped(func(_ context.Context, object client.Object) []reconcile.Request {
			return []reconcile.Request{
				{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName() + "-1"}},
				{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName() + "-2"}},
			}
		}))
		channel.Wake(named("a"))
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

func TestWakeWaitsForAController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		returned := false
		go func() {
			channel.Wake(named("a"))
			returned = true
		}()
		synctest.Wait()
		if returned {
			t.Error("Wake returned although nobody has heard of it")
		}
		queue := started(ctx, t, channel.Source(0))
		synctest.Wait()
		if got := drain(queue); !returned || len(got) != 1 {
			t.Errorf("want the news delivered, got %v", got)
		}
		cancel()
		queue.ShutDown()
		synctest.Wait()
	})
}

func TestWakeReturnsWhenItsContextIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		channel := trigger.NewChannel(ctx)
		returned := false
		go func() {
			channel.Wake(named("a"))
			returned = true
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !returned {
			t.Error("Wake still waits")
		}
		// And it does not wait at all after that.
		channel.Wake(named("b"))
	})
}
