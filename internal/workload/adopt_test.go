package workload

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var (
	adopter = inventory.ParentOf("team-a", "relay")
	known   = inventory.LivingOf(types.NamespacedName{Namespace: "team-a", Name: "relay"})
)

const (
	serviceBefore = `{apiVersion: v1, kind: Service,
metadata: {name: relay, namespace: NS, labels: {stage: old}},
spec: {selector: {app: relay}, ports: [{name: metrics, port: 9402, targetPort: 9402}]}}`

	serviceAfter = `{apiVersion: v1, kind: Service,
metadata: {name: relay, namespace: NS},
spec: {selector: {app: relay}, ports: [{name: metrics, port: 9403, targetPort: 9403}]}}`

	deploymentBefore = `{apiVersion: apps/v1, kind: Deployment,
metadata: {name: relay, namespace: NS},
spec: {selector: {matchLabels: {app: relay}}, template: {metadata: {labels: {app: relay}}, spec: {containers: [
{name: relay, image: "relay:1.0", env: [{name: LEGACY_MODE, value: "true"}, {name: LEVEL, value: info}]}]}}}}`

	deploymentAfter = `{apiVersion: apps/v1, kind: Deployment,
metadata: {name: relay, namespace: NS},
spec: {selector: {matchLabels: {app: relay}}, template: {metadata: {labels: {app: relay}}, spec: {containers: [
{name: relay, image: "relay:1.1", env: [{name: LEVEL, value: info}]}]}}}}`
)

// TestWhatAClientBroughtBecomesTheNewVersion is an adoption: without the move the
// fields that the new version drops stay, and the Service is refused (HTTP 422).
func TestWhatAClientBroughtBecomesTheNewVersion(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	c := newClient(t, w.Config)
	type step struct {
		write   func(t *testing.T, s *testenv.APIServer, ns, manifest, manager string)
		manager string
	}
	tests := map[string][]step{
		"kubectl apply":                          {{create, "kubectl-client-side-apply"}},
		"a ClusterResourceSet":                   {{create, "manager"}},
		"kubectl apply --server-side":            {{apply, "kubectl"}},
		"kubectl apply, then with --server-side": {{create, "kubectl-client-side-apply"}, {apply, "kubectl"}},
		"all sets under one name":                {{apply, "caapb"}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := testenv.NewNamespace(t, w.APIServer)
			for _, step := range steps {
				step.write(t, w.APIServer, ns, serviceBefore, step.manager)
				step.write(t, w.APIServer, ns, deploymentBefore, step.manager)
			}

			takeOver(t, c, core(t, "Service"), refTo("Service", ns, "relay"))
			apply(t, w.APIServer, ns, serviceAfter, adopter.FieldManager())
			deployments, _ := manifest.BuiltIn("apps", "v1", "Deployment")
			takeOver(t, c, deployments,
				manifest.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "relay"})
			apply(t, w.APIServer, ns, deploymentAfter, adopter.FieldManager())

			service := read(t, w.APIServer, ns, "relay", &corev1.Service{})
			if ports := service.Spec.Ports; len(ports) != 1 || ports[0].Port != 9403 || len(service.Labels) != 0 {
				t.Errorf("want the port 9403 alone and no label, got %v, %v", ports, service.Labels)
			}
			container := read(t, w.APIServer, ns, "relay", &appsv1.Deployment{}).Spec.Template.Spec.Containers[0]
			want := []corev1.EnvVar{{Name: "LEVEL", Value: "info"}}
			if diff := cmp.Diff(want, container.Env); diff != "" || container.Image != "relay:1.1" {
				t.Errorf("want the new image, got %s; variables (-want +got):\n%s", container.Image, diff)
			}
			if got := managersOf(service); !slices.Equal(got, []string{"caapb.team-a.relay"}) {
				t.Errorf("field managers: want ours alone, got %v", got)
			}
		})
	}
}

// TestWithoutTheMoveANewPortIsRefused shows what the move is for.
func TestWithoutTheMoveANewPortIsRefused(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	create(t, w.APIServer, ns, serviceBefore, "kubectl-client-side-apply")
	body, err := json.Marshal(decodeYAML(t, ns, serviceAfter))
	if err != nil {
		t.Fatal(err)
	}

	_, err = newClient(t, w.Config).Apply(t.Context(), core(t, "Service"), refTo("Service", ns, "relay"), body, adopter.FieldManager())

	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ObjectInvalidReason, "HTTP 422", "Duplicate value")
}

// TestAnEditGoesWithTheListItemThatItIsIn holds that a person's entry, which is
// not moved, keeps no old port alive, and that other edits stay.
func TestAnEditGoesWithTheListItemThatItIsIn(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	create(t, w.APIServer, ns, serviceBefore, "kubectl-client-side-apply")
	edited := read(t, w.APIServer, ns, "relay", &corev1.Service{})
	edited.Spec.Ports[0].TargetPort = intstr.FromInt32(9)
	edited.Labels["edited"] = "yes"
	if err := w.Client.Update(t.Context(), edited, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}

	takeOver(t, newClient(t, w.Config), core(t, "Service"), refTo("Service", ns, "relay"))
	apply(t, w.APIServer, ns, serviceAfter, adopter.FieldManager())

	got := read(t, w.APIServer, ns, "relay", &corev1.Service{})
	if len(got.Spec.Ports) != 1 || got.Spec.Ports[0].TargetPort != intstr.FromInt32(9403) {
		t.Errorf("want the new port alone, got %v", got.Spec.Ports)
	}
	if diff := cmp.Diff(map[string]string{"edited": "yes"}, got.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// TestWhatTheAPIServerDefaultsSurvivesAnAdoption holds that a field which belongs
// to the client that created the object, only since the API server set its
// default, is set again.
func TestWhatTheAPIServerDefaultsSurvivesAnAdoption(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	name := ns + "-adopted"
	namespace := `{apiVersion: v1, kind: Namespace, metadata: {name: ` + name + `}}`
	create(t, w.APIServer, "", namespace, "kubectl-create")
	create(t, w.APIServer, ns, serviceBefore, "kubectl-create")
	before := read(t, w.APIServer, ns, "relay", &corev1.Service{})

	takeOver(t, c, core(t, "Namespace"), refTo("Namespace", "", name))
	apply(t, w.APIServer, "", namespace, adopter.FieldManager())
	takeOver(t, c, core(t, "Service"), refTo("Service", ns, "relay"))
	apply(t, w.APIServer, ns, serviceBefore, adopter.FieldManager())

	labels := read(t, w.APIServer, "", name, &corev1.Namespace{}).Labels
	if diff := cmp.Diff(map[string]string{"kubernetes.io/metadata.name": name}, labels); diff != "" {
		t.Errorf("labels of the Namespace (-want +got):\n%s", diff)
	}
	after := read(t, w.APIServer, ns, "relay", &corev1.Service{})
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("spec of the Service (-want +got):\n%s", diff)
	}
}

// TestFieldsOfTwoAPIVersionsMove holds that the API server takes an entry whose
// fields are of two API versions.
func TestFieldsOfTwoAPIVersionsMove(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	create(t, w.APIServer, ns, `{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler,
metadata: {name: relay, namespace: NS, labels: {stage: old}},
spec: {maxReplicas: 3, targetCPUUtilizationPercentage: 50,
scaleTargetRef: {kind: Deployment, name: relay, apiVersion: apps/v1}}}`,
		"kubectl-create")
	const after = `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: relay, namespace: NS},
spec: {maxReplicas: 4, scaleTargetRef: {kind: Deployment, name: relay, apiVersion: apps/v1}, metrics: [
{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}]}}`
	apply(t, w.APIServer, ns, after, "kubectl")
	resource, _ := manifest.BuiltIn("autoscaling", "v2", "HorizontalPodAutoscaler")

	takeOver(t, c, resource,
		manifest.Ref{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler", Namespace: ns, Name: "relay"})
	apply(t, w.APIServer, ns, after, adopter.FieldManager())

	got := read(t, w.APIServer, ns, "relay", &autoscalingv1.HorizontalPodAutoscaler{})
	if got.Spec.MaxReplicas != 4 || got.Spec.TargetCPUUtilizationPercentage != nil || len(got.Labels) != 0 {
		t.Errorf("want the new version alone, got %v, labels %v", got.Spec, got.Labels)
	}
	if managers := managersOf(got); !slices.Equal(managers, []string{"caapb.team-a.relay"}) {
		t.Errorf("field managers: want ours alone, got %v", managers)
	}
}

func TestMovingChangesManagedFieldsOnly(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	proxy := testenv.NewProxy(t, w.APIServer)
	create(t, w.APIServer, ns, serviceBefore, "kubectl-client-side-apply")
	before := read(t, w.APIServer, ns, "relay", &corev1.Service{})

	takeOver(t, newClient(t, proxy.Config), core(t, "Service"), refTo("Service", ns, "relay"))

	after := read(t, w.APIServer, ns, "relay", &corev1.Service{})
	if got := managersOf(after); !slices.Equal(got, []string{"caapb.team-a.relay"}) {
		t.Errorf("field managers: want ours alone, got %v", got)
	}
	before.ManagedFields, before.ResourceVersion = after.ManagedFields, after.ResourceVersion
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
	writes := proxy.Writes()
	if len(writes) != 1 || writes[0].ContentType != "application/json-patch+json" {
		t.Errorf("want one JSON patch, got %+v", writes)
	}
}

func TestAnObjectThatIsNotAsItWasReadIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	c := newClient(t, w.Config)
	tests := map[string]func(context.Context, *corev1.Service) error{
		"changed": func(ctx context.Context, s *corev1.Service) error {
			s.Labels = map[string]string{"owner": "somebody"}
			return w.Client.Update(ctx, s)
		},
		"gone": func(ctx context.Context, s *corev1.Service) error { return w.Client.Delete(ctx, s) },
		"made anew": func(ctx context.Context, s *corev1.Service) error {
			anew := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}
			anew.Spec.Ports = []corev1.ServicePort{{Port: 1}}
			return errors.Join(w.Client.Delete(ctx, s), w.Client.Create(ctx, anew))
		},
		"without managed fields": func(ctx context.Context, s *corev1.Service) error {
			s.ManagedFields = []metav1.ManagedFieldsEntry{{}}
			return w.Client.Update(ctx, s)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := testenv.NewNamespace(t, w.APIServer)
			create(t, w.APIServer, ns, serviceBefore, "kubectl-create")
			resource, ref := core(t, "Service"), refTo("Service", ns, "relay")
			live, entries := takenOver(t, c, resource, ref)
			if err := change(t.Context(), read(t, w.APIServer, ns, "relay", &corev1.Service{})); err != nil {
				t.Fatal(err)
			}

			err := c.MoveFields(t.Context(), resource, ref, live, entries)

			faulttest.Want(t, err, fault.ClassWait, v1alpha1.ApplyFailedReason, "Service "+ns+"/relay: it was changed")
			if !errors.Is(err, inventory.ErrChanged) || fault.AfterOf(err) != time.Second {
				t.Errorf("want ErrChanged, to be looked at again after a second, got %v after %v", err, fault.AfterOf(err))
			}
			found := &corev1.ServiceList{}
			if err := w.Client.List(t.Context(), found, client.InNamespace(ns)); err != nil {
				t.Fatal(err)
			}
			for _, s := range found.Items {
				if slices.Contains(managersOf(&s), adopter.FieldManager()) {
					t.Errorf("want it left alone, got the field managers %v", managersOf(&s))
				}
			}
		})
	}
}

func TestOtherErrorsOfAMove(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	proxy := testenv.NewProxy(t, w.APIServer)
	c := newClient(t, proxy.Config)
	live := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"}}
	ref := manifest.Ref{Group: "example.com", Version: "v1", Kind: "Bookshop", Namespace: "default", Name: "corner"}
	err := c.MoveFields(t.Context(), bookshop, ref, live, nil)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.KindNotServedReason, "Bookshop default/corner: ")

	proxy.SetFault(testenv.Answer(http.StatusServiceUnavailable, 0))
	err = c.MoveFields(t.Context(), core(t, "Service"), refTo("Service", "default", "kubernetes"), live, nil)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason, "Service default/kubernetes: HTTP 503")
}

// takeOver moves to adopter what it takes over of the live object.
func takeOver(t *testing.T, c *Client, resource manifest.Resource, ref manifest.Ref) {
	t.Helper()
	live, entries := takenOver(t, c, resource, ref)
	if err := c.MoveFields(t.Context(), resource, ref, live, entries); err != nil {
		t.Fatal(err)
	}
}

// takenOver reads the live object and returns it with the managed fields that it
// has to have before adopter applies it.
func takenOver(
	t *testing.T, c *Client, resource manifest.Resource, ref manifest.Ref,
) (*metav1.PartialObjectMetadata, []metav1.ManagedFieldsEntry) {
	t.Helper()
	live, err := c.Metadata(t.Context(), resource, ref)
	if err != nil || live == nil {
		t.Fatalf("want %s, got %v, %v", ref, live, err)
	}
	entries, changed, err := inventory.TakeOverFields(live, adopter, known)
	if err != nil || !changed {
		t.Fatalf("want managed fields to move, got %v, %v", live.ManagedFields, err)
	}
	return live, entries
}

// create creates the object of a manifest in the namespace, as the field manager.
func create(t *testing.T, s *testenv.APIServer, ns, manifest, manager string) {
	t.Helper()
	if err := s.Client.Create(t.Context(), decodeYAML(t, ns, manifest), client.FieldOwner(manager)); err != nil {
		t.Fatal(err)
	}
}

// apply applies the object of a manifest in the namespace, as the field manager.
func apply(t *testing.T, s *testenv.APIServer, ns, manifest, manager string) {
	t.Helper()
	object := client.ApplyConfigurationFromUnstructured(decodeYAML(t, ns, manifest))
	err := s.Client.Apply(t.Context(), object, client.FieldOwner(manager), client.ForceOwnership)
	if err != nil {
		t.Fatal(err)
	}
}

func decodeYAML(t *testing.T, ns, manifest string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(manifest, "NS", ns)), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

func managersOf(live metav1.Object) []string {
	var managers []string
	for _, e := range live.GetManagedFields() {
		managers = append(managers, e.Manager)
	}
	return managers
}
