package workload

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// identity reads which object is there.
func identity(t *testing.T, c *Client, resource manifest.Resource, ref manifest.Ref) rollout.Identity {
	t.Helper()
	live, err := c.Metadata(t.Context(), resource, ref)
	if err != nil || live == nil {
		t.Fatalf("want %s there, got %v, %v", ref, live, err)
	}
	return rollout.Identity{UID: live.UID, ResourceVersion: live.ResourceVersion}
}

func TestOnlyTheObjectThatWasReadIsDeleted(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	ref, resource := refTo("ConfigMap", ns, "settings"), core(t, "ConfigMap")
	apply := func(fields string) rollout.Identity {
		t.Helper()
		if _, err := c.Apply(t.Context(), resource, ref, bodyOf(ref, fields), "caapb.team-a.cni"); err != nil {
			t.Fatal(err)
		}
		return identity(t, c, resource, ref)
	}
	before := apply(`,"data":{"key":"one"}`)
	now := apply(`,"data":{"key":"two"}`)
	if gone, err := c.Delete(t.Context(), resource, ref, before); gone || !errors.Is(err, inventory.ErrChanged) {
		t.Errorf("want the one that changed left, got %t, %v", gone, err)
	}
	for _, what := range []string{"that is there", "that is gone"} {
		if gone, err := c.Delete(t.Context(), resource, ref, now); !gone || err != nil {
			t.Errorf("an object %s: want it gone, got %t, %v", what, gone, err)
		}
	}
	apply(`,"data":{"key":"three"}`)
	if gone, err := c.Delete(t.Context(), resource, ref, now); gone || !errors.Is(err, inventory.ErrChanged) {
		t.Errorf("want a new one of that name left, got %t, %v", gone, err)
	}
}

func TestAnObjectWithAFinalizerIsNotGone(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	ref, resource := refTo("ConfigMap", ns, "kept"), core(t, "ConfigMap")
	body := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept","namespace":"` + ns +
		`","finalizers":["example.com/cleanup"]}}`)
	if _, err := c.Apply(t.Context(), resource, ref, body, "operator"); err != nil {
		t.Fatal(err)
	}
	if gone, err := c.Delete(t.Context(), resource, ref, identity(t, c, resource, ref)); gone || err != nil {
		t.Errorf("want it not gone, got %t, %v", gone, err)
	}
	live, err := c.Metadata(t.Context(), resource, ref)
	if err != nil || live.DeletionTimestamp == nil {
		t.Fatalf("want it in deletion, got %v, %v", live, err)
	}
	if got := inventory.FinalizerManager(live, "example.com/cleanup"); got != "operator" {
		t.Errorf("want who set the finalizer, got %q", got)
	}
	// The namespace of the test can only go without it.
	if _, err := c.Apply(t.Context(), resource, ref, bodyOf(ref, ""), "operator"); err != nil {
		t.Error(err)
	}
}

func TestLettingGoLeavesWhatOthersApply(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	ref, resource := refTo("ConfigMap", ns, "shared"), core(t, "ConfigMap")
	for manager, fields := range map[string]string{
		"caapb.team-a.cni":     `,"data":{"both":"same","ours":"x"}`,
		"caapb.team-b.logging": `,"data":{"both":"same","theirs":"x"}`,
	} {
		if _, err := c.Apply(t.Context(), resource, ref, bodyOf(ref, fields), manager); err != nil {
			t.Fatal(err)
		}
	}
	live := identity(t, c, resource, ref)
	if err := c.LetGo(t.Context(), resource, ref, live, "caapb.team-a.cni"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"both": "same", "theirs": "x"}
	if diff := cmp.Diff(want, read(t, w.APIServer, ns, "shared", &corev1.ConfigMap{}).Data); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if gone, err := c.Delete(t.Context(), resource, ref, identity(t, c, resource, ref)); !gone || err != nil {
		t.Fatalf("want it gone, got %t, %v", gone, err)
	}
	if err := c.LetGo(t.Context(), resource, ref, live, "caapb.team-a.cni"); err != nil {
		t.Error(err)
	}
	if live, err := c.Metadata(t.Context(), resource, ref); live != nil || err != nil {
		t.Errorf("want what is gone not made anew, got %v, %v", live, err)
	}
}

func TestLettingGoLeavesWhatAnObjectCannotBeWithout(t *testing.T) {
	t.Parallel()
	const us = "caapb.team-a.cni"
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	ref, resource, ours := refTo("Service", ns, "shared"), core(t, "Service"), inventory.ParentOf("team-a", "cni")
	// Another set has only its mark on it.
	mark := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"shared","namespace":%q,"annotations":{%q:"x"}}}`,
		ns, inventory.ParentOf("team-b", "logging").SharedAnnotation())
	whole := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"shared","namespace":%q,"labels":{%q:%q},`+
		`"annotations":{%q:"x"}},"spec":{"ports":[{"port":80}]}}`, ns, inventory.PartOfLabel, ours.ID(), inventory.SHA256Annotation)
	for _, applied := range []struct {
		manager string
		body    []byte
	}{{us, whole}, {"caapb.team-b.logging", mark}} {
		if _, err := c.Apply(t.Context(), resource, ref, applied.body, applied.manager); err != nil {
			t.Fatal(err)
		}
	}
	live := identity(t, c, resource, ref)
	if err := c.LetGo(t.Context(), resource, ref, live, us); err != nil {
		t.Fatal(err)
	}
	left, err := c.Metadata(t.Context(), resource, ref)
	if err != nil || ours.IsMember(left) || left.Annotations[inventory.SHA256Annotation] != "" {
		t.Errorf("want it no longer a member, got %v, %v", left, err)
	}
	if ports := read(t, w.APIServer, ns, "shared", &corev1.Service{}).Spec.Ports; len(ports) != 1 {
		t.Errorf("want its port there, got %v", ports)
	}
}

func TestKindsHaveTheVersionThatTheServerPrefers(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	c := newClient(t, w.Config)
	kinds := []schema.GroupKind{
		{Kind: "ConfigMap"}, {Group: "apps", Kind: "Deployment"}, {Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: "example.com", Kind: "Bookshop"},
	}
	want := map[schema.GroupKind]manifest.Resource{
		kinds[0]: {Version: "v1", Plural: "configmaps", Namespaced: true},
		kinds[1]: {Group: "apps", Version: "v1", Plural: "deployments", Namespaced: true},
		kinds[2]: {Group: "autoscaling", Version: "v2", Plural: "horizontalpodautoscalers", Namespaced: true},
		kinds[3]: {Group: "apiextensions.k8s.io", Version: "v1", Plural: "customresourcedefinitions"},
	}
	got, err := c.Preferred(t.Context(), kinds)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	groups, err := c.discoverGroups(t.Context(), kinds[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds[1:] {
		if resource, _ := preferredIn(groups, kind); resource != want[kind] {
			t.Errorf("by the discovery of each group: want %v, got %v", want[kind], resource)
		}
	}
}

func TestAKindOfAGroupThatIsNotKnownNowIsNotGone(t *testing.T) {
	t.Parallel()
	pool := schema.GroupKind{Group: "projectcalico.org", Kind: "IPPool"}
	tests := map[string]struct {
		given   string
		wantErr bool
	}{
		"of another group":          {given: `{"metadata":{"name":"other.org"},"versions":[{"version":"v1","freshness":"Stale"}]}`},
		"of a group without it":     {given: `{"metadata":{"name":"projectcalico.org"},"versions":[{"version":"v3","freshness":"Current"}]}`},
		"of a group that is not up": {given: `{"metadata":{"name":"projectcalico.org"},"versions":[{"version":"v3","freshness":"Stale"}]}`, wantErr: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[%s]}`, test.given)
			}))
			defer server.Close()
			got, err := newClient(t, &rest.Config{Host: server.URL}).Preferred(t.Context(), []schema.GroupKind{pool})
			if (err != nil) != test.wantErr || len(got) > 0 {
				t.Errorf("want an error %t, got %v, %v", test.wantErr, got, err)
			}
			if test.wantErr && fault.ClassOf(err) != fault.ClassRetry {
				t.Errorf("want it tried again, got %v", err)
			}
		})
	}
}
