package rollout

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// ErrThrottled is in the error of a request that the API server refused because
// there are too many (HTTP 429). A pass that gets it starts no more requests.
var ErrThrottled = errors.New("rate-limited")

// kindRetry is when to look again for a kind that is not served: no watch
// reports it.
const kindRetry = 5 * time.Second

// errKindNotServed is in every error of KindNotServed.
var errKindNotServed = errors.New("the workload cluster does not serve the kind")

// KindNotServed returns the error for an object whose kind the workload cluster
// does not serve: a fault.Wait of five seconds with KindNotServedReason.
func KindNotServed(ref manifest.Ref) error {
	return fault.Wait(v1alpha1.KindNotServedReason, kindRetry, fmt.Errorf(
		"%s: %w %s in %s: is its CustomResourceDefinition installed?",
		ref, errKindNotServed, ref.Kind, schema.GroupVersion{Group: ref.Group, Version: ref.Version}))
}
