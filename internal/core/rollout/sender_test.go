package rollout

import (
	"context"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestARequestThatPanicsFailsAlone(t *testing.T) {
	t.Parallel()
	done := make([]bool, 3)
	err := sender{slice: t.Context()}.forEach(t.Context(), len(done), func(_ context.Context, i int) error {
		if i == 1 {
			panic("what a server answered")
		}
		done[i] = true
		return nil
	})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, "a panic at sender_test.go:")
	if !done[0] || !done[2] {
		t.Errorf("want the other requests done, got %v", done)
	}
}
