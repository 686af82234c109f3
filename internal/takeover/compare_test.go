package takeover

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// applied returns the objects of the manifests after an edit of the Deployment.
func applied(t *testing.T, edit func(deployment *unstructured.Unstructured)) []client.Object {
	t.Helper()
	var all []client.Object
	for manifest := range strings.SplitSeq(manifests, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), object); err != nil {
			t.Fatal(err)
		}
		if object.GetKind() == "Deployment" && edit != nil {
			edit(object)
		}
		all = append(all, object)
	}
	return all
}

func TestAReportSaysWhatApplyingWouldDo(t *testing.T) {
	t.Parallel()
	set := inventory.ParentOf("team", "agent")
	tests := map[string]struct {
		live    []client.Object
		refused error
		want    string
	}{
		"nothing": {live: applied(t, nil), want: "nothing would change in its 2 objects"},
		"other pods": {
			live: applied(t, func(d *unstructured.Unstructured) {
				_ = unstructured.SetNestedField(d.Object, "ClusterFirst", "spec", "template", "spec", "dnsPolicy")
				containers := []any{map[string]any{"name": "agent", "image": "example.com/agent:2"}}
				_ = unstructured.SetNestedSlice(d.Object, containers, "spec", "template", "spec", "containers")
			}),
			want: "would change Deployment default/agent (its pods are replaced)",
		},
		"another object": {
			live: append(applied(t, nil)[1:], &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent"}, Data: map[string]string{"level": "debug"},
			}),
			want: "would change ConfigMap default/agent",
		},
		"one that is missing": {live: applied(t, nil)[:1], want: "would create Deployment default/agent"},
		"one that is refused": {
			live: applied(t, nil), refused: errors.New("admission webhook says no"),
			want: "would not be able to compare ConfigMap default/agent (admission webhook says no)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.live...)
			w.workload = interceptor.NewClient(w.workload.(client.WithWatch), interceptor.Funcs{
				Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
					options := (&client.ApplyOptions{}).ApplyOptions(opts)
					if len(options.DryRun) != 1 || options.FieldManager != set.FieldManager() {
						t.Errorf("applied with %+v", options)
					}
					return errors.Join(test.refused, c.Apply(ctx, o, opts...))
				},
			})
			_, report, err := w.run(t, false)
			if err != nil {
				t.Fatal(err)
			}
			contains(t, report, "Cluster berlin: "+test.want)
		})
	}
}

func TestNothingWouldChangeWhereTheSetHasTakenOver(t *testing.T) {
	t.Parallel()
	w, set := newWorld(t), inventory.ParentOf("team", "agent")
	for _, object := range applied(t, nil) {
		object.SetLabels(map[string]string{inventory.PartOfLabel: set.ID()})
		object.SetAnnotations(map[string]string{inventory.SHA256Annotation: "1"})
		marked := client.ApplyConfigurationFromUnstructured(object.(*unstructured.Unstructured))
		if err := w.workload.Apply(t.Context(), marked, client.FieldOwner(set.FieldManager())); err != nil {
			t.Fatal(err)
		}
	}
	_, report, err := w.run(t, false)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, report, "Cluster berlin: nothing would change in its 2 objects")
}

func TestAClusterThatIsNotThereYetIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cluster := w.cluster(t)
	cluster.Status.Initialization.ControlPlaneInitialized = nil
	if err := w.management.Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	_, report, err := w.run(t, false)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, report, "Cluster berlin: cannot be compared: its control plane is not initialized")
}
