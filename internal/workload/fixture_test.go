package workload

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(klog.Background().V(10)) // errors only
	testenv.Main(m)
}

// patience bounds what a test waits for.
const patience = 2 * time.Minute

// bookshop is a resource that nobody serves.
var bookshop = manifest.Resource{Group: "example.com", Version: "v1", Plural: "bookshops", Namespaced: true}

// newClient returns a Client for the configuration.
func newClient(t testing.TB, cfg *rest.Config) *Client {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// core returns the resource of a built-in kind of the core group.
func core(t testing.TB, kind string) manifest.Resource {
	t.Helper()
	resource, ok := manifest.BuiltIn("", "v1", kind)
	if !ok {
		t.Fatalf("%s is not built in", kind)
	}
	return resource
}

// refTo names an object of the core group.
func refTo(kind, namespace, name string) manifest.Ref {
	return manifest.Ref{Version: "v1", Kind: kind, Namespace: namespace, Name: name}
}

// bodyOf returns the JSON of an object of the core group with further fields.
func bodyOf(ref manifest.Ref, fields string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":%q,"metadata":{"name":%q,"namespace":%q}%s}`,
		ref.Kind, ref.Name, ref.Namespace, fields)
}

// applyConfigMap applies a ConfigMap with one value.
func applyConfigMap(t testing.TB, c *Client, namespace, name, value string) {
	t.Helper()
	ref := refTo("ConfigMap", namespace, name)
	if _, err := c.Apply(t.Context(), core(t, "ConfigMap"), ref, bodyOf(ref, `,"data":{"key":"`+value+`"}`), inventory.FieldManager); err != nil {
		t.Fatal(err)
	}
}

// read reads an object as the administrator.
func read[T client.Object](t testing.TB, s *testenv.APIServer, namespace, name string, into T) T {
	t.Helper()
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
	return into
}
