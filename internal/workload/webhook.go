package workload

import (
	"context"
	"fmt"
	"net/http"
	"regexp"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// webhookCall is what the API server says of a call that failed: that of an admission
// webhook (k8s.io/apiserver/pkg/admission/plugin/webhook/errors) or of a conversion
// webhook, with the name and the namespace of the Service.
var webhookCall = regexp.MustCompile(`webhook .*Post "https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc[:/]`)

// endpointSlices is the resource that tells who is behind a Service.
var endpointSlices, _ = manifest.BuiltIn(discoveryv1.GroupName, "v1", "EndpointSlice")

// explained adds to the error of a write, whose answer is given, that the webhook
// that failed has nobody behind its Service: only who looks there can tell that a
// workload has to run first.
func (c *Client) explained(ctx context.Context, err, answered error) error {
	answer, ok := status(answered)
	if !ok || answer.Code != http.StatusInternalServerError {
		return err
	}
	service := webhookCall.FindStringSubmatch(answer.Message)
	if service == nil || !c.isWithoutEndpoints(ctx, service[2], service[1]) {
		return err
	}
	return fmt.Errorf("%w: Service %s/%s of the webhook has no ready endpoints: does its workload run?", err, service[2], service[1])
}

// isWithoutEndpoints reports whether a Service is known to have no ready endpoints.
func (c *Client) isWithoutEndpoints(ctx context.Context, namespace, service string) bool {
	ready := false
	err := c.Objects(ctx, endpointSlices, namespace, discoveryv1.LabelServiceName+"="+service, func(slice *unstructured.Unstructured) {
		ready = ready || hasReadyEndpoint(slice)
	})
	return err == nil && !ready
}

// hasReadyEndpoint reports whether one of the endpoints is ready: also one that does
// not say (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions).
func hasReadyEndpoint(slice *unstructured.Unstructured) bool {
	endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
	for _, endpoint := range endpoints {
		fields, _ := endpoint.(map[string]any)
		if ready, found, _ := unstructured.NestedBool(fields, "conditions", "ready"); ready || !found {
			return true
		}
	}
	return false
}
