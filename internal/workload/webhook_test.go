package workload

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAWebhookThatNobodyAnswersForIsNamed(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	c := newClient(t, w.Config)
	ns := testenv.NewNamespace(t, w.APIServer)
	apply := func(apiVersion, kind, namespace, name, fields string) error {
		group, version, found := strings.Cut(apiVersion, "/")
		if !found {
			group, version = "", apiVersion
		}
		resource, ok := manifest.BuiltIn(group, version, kind)
		if !ok {
			t.Fatalf("%s %s is not built in", apiVersion, kind)
		}
		ref := manifest.Ref{Group: group, Version: version, Kind: kind, Namespace: namespace, Name: name}
		body := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q},%s}`, apiVersion, kind, name, fields)
		_, err := c.Apply(t.Context(), resource, ref, []byte(body), inventory.FieldManager)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(apply("v1", "Service", ns, "police", `"spec":{"ports":[{"port":443}]}`))
	must(apply("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", ns, fmt.Sprintf(`"webhooks":[{
		"name":"police.example.com","admissionReviewVersions":["v1"],"sideEffects":"None","timeoutSeconds":1,
		"clientConfig":{"service":{"name":"police","namespace":%q}},
		"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%[1]q}},
		"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}]}]`, ns)))
	// The API server asks a webhook some time after it was made.
	asked := 0
	testenv.Eventually(t, "the webhook is asked", func() bool {
		asked++
		return apply("v1", "ConfigMap", ns, fmt.Sprintf("early-%d", asked), `"data":{}`) != nil
	})
	want := "Service " + ns + "/police of the webhook has no ready endpoints: does its workload run?"
	refused := func() string {
		t.Helper()
		err := apply("v1", "ConfigMap", ns, "settings", `"data":{}`)
		if err == nil {
			t.Fatal("want the webhook to fail")
		}
		return err.Error()
	}
	if got := refused(); !strings.Contains(got, `failed calling webhook "police.example.com"`) || !strings.HasSuffix(got, want) {
		t.Errorf("want the webhook and %q, got %q", want, got)
	}
	// endpoints has the Service have one endpoint.
	endpoints := func(conditions string) {
		t.Helper()
		ref := manifest.Ref{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice", Namespace: ns, Name: "police"}
		_, err := c.Apply(t.Context(), endpointSlices, ref, fmt.Appendf(nil, `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",
			"metadata":{"name":"police","labels":{"kubernetes.io/service-name":"police"}},"addressType":"IPv4",
			"endpoints":[{"addresses":["10.0.0.1"],"conditions":%s}]}`, conditions), inventory.FieldManager)
		must(err)
	}
	endpoints(`{"ready":false}`)
	if got := refused(); !strings.HasSuffix(got, want) {
		t.Errorf("want %q, got %q", want, got)
	}
	for _, ready := range []string{`{"ready":true}`, `{}`} {
		endpoints(ready)
		if got := refused(); strings.Contains(got, "endpoints") {
			t.Errorf("%s: want no word about endpoints, got %q", ready, got)
		}
	}
}
