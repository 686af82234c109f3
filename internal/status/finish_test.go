package status_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// clientWith returns a client of a cluster that holds the objects, and counts
// the writes of statuses.
func clientWith(t *testing.T, writes *int, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	count := func(
		ctx context.Context, c client.Client, subresource string, object client.Object, patch client.Patch,
		opts ...client.SubResourcePatchOption,
	) error {
		*writes++
		return c.SubResource(subresource).Patch(ctx, object, patch, opts...)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: count}).Build()
}

// finish ends the reconcile of an object whose status goes from one to another.
func finish(t *testing.T, recorder events.EventRecorder, before, after *v1alpha1.Bundle, found error) {
	t.Helper()
	writes := 0
	w := status.NewWriter(clientWith(t, &writes, before.DeepCopy()), recorder, clock.RealClock{})
	if _, err := w.Finish(t.Context(), after.DeepCopy(), before, found); fault.ClassOf(found) != fault.ClassRetry && err != nil {
		t.Fatal(err)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	broken := errors.New("it broke")
	ready := having("Ready", yes, "Ready", "")
	tests := map[string]struct {
		givenBefore, givenAfter *v1alpha1.Bundle
		givenFound              error
		givenGone               bool
		wantWrites              int
		wantResult              reconcile.Result
		wantErr                 error
	}{
		"a status that stays is not written": {givenBefore: ready, givenAfter: ready},
		"a status that changes is written": {
			givenBefore: having("Ready", no, "Fetching", ""), givenAfter: ready, wantWrites: 1,
		},
		"what waits comes back after its time": {
			givenBefore: ready, givenAfter: ready, givenFound: fault.Wait("Fetching", time.Minute, broken),
			wantResult: reconcile.Result{RequeueAfter: time.Minute},
		},
		"what failed is returned": {
			givenBefore: ready, givenAfter: having("Ready", no, "InternalError", ""), givenFound: broken,
			wantWrites: 1, wantErr: broken,
		},
		"an object that is gone is no error": {
			givenBefore: having("Ready", no, "Fetching", ""), givenAfter: ready, givenGone: true, wantWrites: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writes := 0
			c := clientWith(t, &writes, test.givenBefore.DeepCopy())
			if test.givenGone {
				if err := c.Delete(t.Context(), test.givenBefore.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			}
			w := status.NewWriter(c, events.NewFakeRecorder(2), clock.RealClock{})
			result, err := w.Finish(t.Context(), test.givenAfter.DeepCopy(), test.givenBefore, test.givenFound)
			if !errors.Is(err, test.wantErr) || result != test.wantResult {
				t.Errorf("want %v, %v, got %v, %v", test.wantResult, test.wantErr, result, err)
			}
			if writes != test.wantWrites {
				t.Errorf("want %d writes, got %d", test.wantWrites, writes)
			}
			if test.givenGone {
				return
			}
			got := &v1alpha1.Bundle{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(test.givenBefore), got); err != nil {
				t.Fatal(err)
			}
			want := test.givenAfter.Status
			if diff := cmp.Diff(want, got.Status, cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnObjectOlderThanItsLastWriteIsStale(t *testing.T) {
	t.Parallel()
	now := testingclock.NewFakePassiveClock(time.Unix(1_000_000, 0))
	writes := 0
	c := clientWith(t, &writes, having("Ready", metav1.ConditionTrue, "Ready", ""))
	w := status.NewWriter(c, events.NewFakeRecorder(2), now)
	read := func() *v1alpha1.Bundle {
		bundle := &v1alpha1.Bundle{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "calico"}, bundle); err != nil {
			t.Fatal(err)
		}
		return bundle
	}
	old := read()
	if w.IsStale(old) {
		t.Error("an object is stale before anything was written")
	}
	write := func() {
		changed := read()
		changed.Status.ObservedGeneration++
		if _, err := w.Finish(t.Context(), changed, read(), nil); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if !w.IsStale(old) {
		t.Error("want the object of before the write to be stale")
	}
	if w.IsStale(read()) {
		t.Error("want the object as it was written to be fresh")
	}
	write()
	w.Forget(client.ObjectKeyFromObject(old))
	if w.IsStale(old) {
		t.Error("want an object that was forgotten to be fresh")
	}
	write()
	now.SetTime(now.Now().Add(time.Minute))
	if w.IsStale(old) {
		t.Error("want an object to count as it is when the cache does not catch up")
	}
}
