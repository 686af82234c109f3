package rollout

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// strip takes our annotation from an object, as a webhook or another controller may.
func (m *memory) strip(at string) {
	m.objects[at].body = bytes.ReplaceAll(m.objects[at].body, []byte(inventory.SHA256Annotation), []byte("other"))
}

// Each apply of such an object is an event that makes the next pass.
func TestAnObjectThatNeverStaysIsContested(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(n int, c call) (error, bool)
	}{
		"as the only one": {},
		"beside one that cannot be repaired": {given: func(_ int, c call) (error, bool) {
			refused := c.verb == "apply" && c.path == settingsPath
			if refused {
				return fault.Retry(v1alpha1.ApplyFailedReason, errBroken), false
			}
			return nil, true
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := remembering(cluster, releaseOf(t, "one", addOn()...))
			complete := completeJob(t, cluster, r, "")
			cluster.strip(settingsPath)
			cluster.strip(accountPath)
			cluster.done = func(_ int, c call) {
				if c.verb == "apply" && c.path == accountPath {
					cluster.strip(accountPath)
				}
			}
			cluster.fail = test.given
			before := cluster.objects[accountPath].applied
			for at := time.Second; at < 2*repairWindow; at += time.Second {
				r.at(complete + at).Run(t.Context())
			}
			if got := cluster.objects[accountPath].applied - before; got != 2*maxRepairs {
				t.Errorf("want it applied %d times in each window, got %d", maxRepairs, got)
			}
		})
	}
}

// slowReads is a cluster in which a look at a kind takes six seconds.
type slowReads struct{ *memory }

func (s slowReads) Metadata(
	ctx context.Context, r manifest.Resource, ref manifest.Ref,
) (*metav1.PartialObjectMetadata, error) {
	<-time.After(6 * time.Second)
	return s.memory.Metadata(ctx, r, ref)
}

func TestLookThatTakesLongerThanASliceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := newMemory(t)
		cluster.extra = make(map[string][]metav1.APIResource)
		kinds := written{name: "kinds"}
		for i := range 4*parallel + 1 {
			kind := fmt.Sprintf("Kind%d", i)
			kinds.documents = append(kinds.documents, object("other.org/v1", kind, "", "one"))
			cluster.extra["other.org/v1"] = append(cluster.extra["other.org/v1"],
				metav1.APIResource{Name: fmt.Sprintf("kind%ds", i), Kind: kind})
		}
		r := rolloutOf(slowReads{cluster}, releaseOf(t, "one", kinds))
		r.Memory, r.Now = &Memory{}, time.Now
		r.IsQuiet = quiet
		converge(t, r)
		for range 3 {
			r.Memory = &Memory{} // as after a restart
			if o := converge(t, r); o.Err != nil {
				t.Error(o.Err)
			}
		}
	})
}
