package rollout

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// applyTime is how long an apply takes in a slow cluster.
const applyTime = 1500 * time.Millisecond

// slow is a cluster in which an apply takes applyTime.
type slow struct{ *memory }

func (s slow) Create(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	return s.Apply(ctx, r, ref, body, manager)
}

func (s slow) Apply(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	<-time.After(applyTime)
	return s.memory.Apply(ctx, r, ref, body, manager)
}

func TestPassBeginsNothingAfterItsSliceAndSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const objects = 400 // 75 seconds
		cluster := newMemory(t)
		r := rolloutOf(slow{cluster}, releaseOf(t, "one", secrets(objects)))
		r.Memory, r.Now = &Memory{}, time.Now
		for pass, want := range []string{"112 of 400", "224 of 400", "336 of 400", ""} {
			began := time.Now()
			o := r.Run(t.Context())
			if took := time.Since(began); took > sliceTime+applyTime {
				t.Errorf("pass %d took %s", pass, took)
			}
			if want == "" {
				if o.Err != nil {
					t.Error(o.Err)
				}
				continue
			}
			wantErr(t, o.Err, fault.ClassWait, v1alpha1.ProgressingReason, soon,
				"phase many: "+want+" objects are applied: the rollout goes on")
			if o.Phases[0].State != v1alpha1.ApplyingPhaseState {
				t.Errorf("pass %d: want the phase applying, got %s", pass, o.Phases[0].State)
			}
		}
		for at, stored := range cluster.objects {
			if at != parentPath && stored.applied != 1 {
				t.Errorf("%s was applied %d times", at, stored.applied)
			}
		}
	})
}

// crawling is a cluster in which a list takes longer than a slice.
type crawling struct{ *memory }

func (c crawling) List(
	ctx context.Context, r manifest.Resource, namespace, label string, each func(*metav1.PartialObjectMetadata),
) error {
	<-time.After(sliceTime + time.Second)
	return c.memory.List(ctx, r, namespace, label, each)
}

func TestAPassGetsSomethingDoneThoughItsListsTakeLongerThanItsSlice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const objects = 3 * parallel
		cluster := newMemory(t)
		converge(t, rolloutOf(cluster, releaseOf(t, "one", secrets(objects))))
		changed := secrets(objects)
		for i := range changed.documents {
			changed.documents[i] += "immutable: true\n"
		}
		r := rolloutOf(crawling{cluster}, releaseOf(t, "two", changed))
		r.Memory, r.Now = &Memory{}, time.Now
		for range 4 {
			r.Run(t.Context())
		}
		for at, stored := range cluster.objects {
			if at != parentPath && stored.applied != 2 {
				t.Errorf("want %s applied once more, got %d times", at, stored.applied-1)
			}
		}
		removal := removalOf(cluster, "")
		removal.Cluster, removal.Memory = crawling{cluster}, &RemovalMemory{}
		for range 4 {
			removal.Run(t.Context())
		}
		if len(cluster.objects) > 0 {
			t.Errorf("want nothing left, got %d", len(cluster.objects))
		}
	})
}
