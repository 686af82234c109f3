package workload

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestApplyCreatesAnObjectAsTheFieldManager(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)

	applyConfigMap(t, c, ns, "settings", "one")

	got := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{})
	if got.Data["key"] != "one" {
		t.Errorf("data: want one, got %v", got.Data)
	}
	if len(got.ManagedFields) != 1 || got.ManagedFields[0].Manager != "caapb" ||
		got.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("want caapb with Apply as the only field manager, got %v", got.ManagedFields)
	}
}

func TestApplyOfWhatIsThereChangesNothing(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	applyConfigMap(t, c, ns, "settings", "one")
	before := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{}).ResourceVersion

	applyConfigMap(t, c, ns, "settings", "one")
	if after := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{}).ResourceVersion; after != before {
		t.Errorf("want the resource version %s to stay, got %s", before, after)
	}

	applyConfigMap(t, c, ns, "settings", "two")
	if after := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{}); after.Data["key"] != "two" {
		t.Errorf("want a change to be applied, got %v", after.Data)
	}
}

func TestApplyTakesFieldsOver(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	theirs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "settings"},
		Data:       map[string]string{"key": "theirs", "other": "theirs"},
	}
	if err := w.Client.Create(t.Context(), theirs, client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}

	applyConfigMap(t, newClient(t, w.Config), ns, "settings", "ours")

	got := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{})
	if got.Data["key"] != "ours" || got.Data["other"] != "theirs" {
		t.Errorf("want our field ours and their field theirs, got %v", got.Data)
	}
	for _, fields := range got.ManagedFields {
		if owns := strings.Contains(fields.FieldsV1.GetRawString(), `"f:key"`); owns != (fields.Manager == "caapb") {
			t.Errorf("%s: want only caapb to own the field key, got %s", fields.Manager, fields.FieldsV1.GetRawString())
		}
	}
}

func TestTheAnswerToAnApplyIsSmall(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	proxy := testenv.NewProxy(t, w.APIServer)
	crd := &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: "larges.small-answer.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "small-answer.example.com", Scope: apiextensionsv1.ClusterScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "larges", Kind: "Large"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", Description: strings.Repeat("words ", 100_000),
				}},
			}},
		},
	}
	body, err := json.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	resource, _ := manifest.BuiltIn("apiextensions.k8s.io", "v1", crd.Kind)
	ref := manifest.Ref{Group: "apiextensions.k8s.io", Version: "v1", Kind: crd.Kind, Name: crd.Name}

	if _, err := newClient(t, proxy.Config).Apply(t.Context(), resource, ref, body, inventory.FieldManager); err != nil {
		t.Fatal(err)
	}

	writes := proxy.Writes()
	if len(writes) != 1 || writes[0].Sent < 500_000 || writes[0].Received == 0 || writes[0].Received > 8<<10 {
		t.Errorf("want one large request with a small answer, got %+v", writes)
	}
	if got := writes[0].ContentType; got != "application/apply-patch+yaml" {
		t.Errorf("content type: %s", got)
	}
}

func TestReadsOfWhatIsThere(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	applyConfigMap(t, c, ns, "settings", "one")
	uid := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{}).UID

	partial, err := c.Metadata(t.Context(), core(t, "ConfigMap"), refTo("ConfigMap", ns, "settings"))
	if err != nil || partial == nil || partial.UID != uid {
		t.Errorf("Metadata: want the UID %s, got %+v, %v", uid, partial, err)
	}
	whole, err := c.Object(t.Context(), core(t, "ConfigMap"), refTo("ConfigMap", ns, "settings"))
	if err != nil || whole == nil || whole.GetUID() != uid {
		t.Fatalf("Object: want the UID %s, got %+v, %v", uid, whole, err)
	}
	if data, _ := whole.Object["data"].(map[string]any); data["key"] != "one" {
		t.Errorf("Object: want its data, got %v", whole.Object)
	}
	cluster, err := c.Object(t.Context(), core(t, "Namespace"), refTo("Namespace", "", ns))
	if err != nil || cluster == nil {
		t.Errorf("an object of the cluster: want it, got %v, %v", cluster, err)
	}
}

func TestReadsOfWhatIsAbsent(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	unserved := core(t, "ConfigMap")
	unserved.Plural = "bookshops"
	tests := map[string]struct {
		givenResource manifest.Resource
		givenRef      manifest.Ref
	}{
		"the object does not exist":       {core(t, "ConfigMap"), refTo("ConfigMap", ns, "absent")},
		"the namespace does not exist":    {core(t, "ConfigMap"), refTo("ConfigMap", "absent", "absent")},
		"the resource is not served":      {unserved, refTo("ConfigMap", ns, "absent")},
		"the group version is not served": {bookshop, refTo("Bookshop", ns, "absent")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			partial, err := c.Metadata(t.Context(), tc.givenResource, tc.givenRef)
			if partial != nil || err != nil {
				t.Errorf("Metadata: want nil and no error, got %v, %v", partial, err)
			}
			whole, err := c.Object(t.Context(), tc.givenResource, tc.givenRef)
			if whole != nil || err != nil {
				t.Errorf("Object: want nil and no error, got %v, %v", whole, err)
			}
		})
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	c := newClient(t, testenv.SharedWorkload(t).Config)
	tests := map[string]struct {
		givenGroup, givenVersion string
		want                     string // a resource, or none
	}{
		"the core group":                       {"", "v1", "configmaps"},
		"another group":                        {"apps", "v1", "deployments"},
		"a version that is not served":         {"apps", "v1beta1", ""},
		"a group that is not served":           {"example.com", "v1", ""},
		"a version of the core group, unknown": {"", "v9", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Resources(t.Context(), tc.givenGroup, tc.givenVersion)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && got != nil {
				t.Errorf("want none, got %v", got)
			}
			named := func(r metav1.APIResource) bool { return r.Name == tc.want }
			if tc.want != "" && !slices.ContainsFunc(got, named) {
				t.Errorf("want %s among them, got %v", tc.want, got)
			}
		})
	}
}

func TestTheVersionIsReadOnceInAWhile(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	c := newClient(t, proxy.Config)
	var asked sync.WaitGroup
	for range 10 {
		asked.Go(func() {
			if got, err := c.Version(t.Context(), versionTTL); err != nil || !strings.HasPrefix(got, "v1.") {
				t.Errorf("want a version as in v1.36.3, got %q, %v", got, err)
			}
		})
	}
	asked.Wait()
	if got := len(proxy.Requests()); got != 1 {
		t.Errorf("want it read once, got %d requests", got)
	}

	c.known.at = c.known.at.Add(-versionTTL)
	if _, err := c.Version(t.Context(), versionTTL); err != nil {
		t.Fatal(err)
	}
	if got := len(proxy.Requests()); got != 2 {
		t.Errorf("want it read again after %v, got %d requests", versionTTL, got)
	}
}

func TestTheRateLimitsOfTheConfigurationAreNotUsed(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	tests := map[string]struct{ given func(*rest.Config) }{
		"requests a second": {func(cfg *rest.Config) { cfg.QPS, cfg.Burst = 0.001, 1 }},
		"a limiter":         {func(cfg *rest.Config) { cfg.RateLimiter = flowcontrol.NewFakeNeverRateLimiter() }},
		"a timeout":         {func(cfg *rest.Config) { cfg.Timeout = time.Nanosecond }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := rest.CopyConfig(w.Config)
			tc.given(cfg)
			c := newClient(t, cfg)
			for range 3 {
				if _, err := c.Resources(t.Context(), "", "v1"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAConfigurationThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	_, err := NewClient(&rest.Config{Host: "https://example.com", TLSClientConfig: rest.TLSClientConfig{
		CAData: []byte("not a certificate"),
	}})
	if err == nil || !strings.Contains(err.Error(), "HTTP client") {
		t.Errorf("want an error that names the HTTP client, got %v", err)
	}
}
