package workload

import (
	"io"
	"testing"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

func TestLookKnowsWhatNothingHappenedTo(t *testing.T) {
	t.Parallel()
	client := &Client{}
	target := membersOf(t, "ours")[0]
	member := func(part string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: "one", Labels: map[string]string{inventory.PartOfLabel: part},
		}}
	}
	tests := map[string]struct {
		given func(b bubble)
		want  bool
	}{
		"no event":              {given: func(bubble) {}, want: true},
		"an event of a member":  {given: func(b bubble) { b.server.running()[0].send(watch.Modified, member("ours")) }},
		"an event of another's": {given: func(b bubble) { b.server.running()[0].send(watch.Modified, member("theirs")) }, want: true},
		"the stream ended":      {given: func(b bubble) { b.server.running()[0].end(io.EOF) }},
		"the stream ended and began again": {given: func(b bubble) {
			b.server.running()[0].end(io.EOF)
			afterRestart()
		}},
		"the stream is down": {given: func(b bubble) {
			b.server.fail(apierrors.NewServiceUnavailable("down"))
			b.server.running()[0].end(io.EOF)
		}},
		"the targets were replaced": {given: func(b bubble) {
			b.Set(calico, client, nil)
			b.Set(calico, client, []rollout.Target{target})
		}},
		"another connection": {given: func(b bubble) { b.Set(calico, &Client{}, []rollout.Target{target}) }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				b.Set(calico, client, []rollout.Target{target})
				afterStart()
				if b.Look(calico, client)(target) {
					t.Error("want nothing known of what was before the watch began")
				}
				tc.given(b)
				synctest.Wait()
				if got := b.Look(calico, client)(target); got != tc.want {
					t.Errorf("quiet: want %t, got %t", tc.want, got)
				}
			})
		})
	}
}

func TestLookKnowsNothingOfAWatchThatIsNotOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, client, target := newBubble(t), &Client{}, membersOf(t, "ours")[0]
		b.server.fail(apierrors.NewServiceUnavailable("down"))
		b.Set(calico, client, []rollout.Target{target})
		afterStart()
		for range 2 {
			if b.Look(calico, client)(target) {
				t.Error("want nothing known")
			}
		}
	})
}
