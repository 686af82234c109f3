package clusterbundle

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// incomplete stands for the digest of a release that is not complete.
const incomplete v1alpha1.Digest = "sha256:0"

// completeParent serves the parent of a release that is complete, unless it is
// incomplete, whatever is asked for.
func completeParent(t *testing.T, digest v1alpha1.Digest) *rest.Config {
	t.Helper()
	parent := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
	parent.Annotations = map[string]string{
		"addons.cluster.x-k8s.io/digest": string(digest), "addons.cluster.x-k8s.io/phase": "complete",
	}
	if digest == incomplete {
		parent.Annotations["addons.cluster.x-k8s.io/phase"] = "crds"
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		named := parent.DeepCopy()
		named.Name = nameIn(r)
		writeConfigMaps(w, named)
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// nameIn returns the name of the object that a list asks for.
func nameIn(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
}

// writeConfigMaps answers with a list of those ConfigMaps that are not nil.
func writeConfigMaps(w http.ResponseWriter, all ...*corev1.ConfigMap) {
	list := corev1.ConfigMapList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"},
	}
	for _, each := range all {
		if each != nil {
			list.Items = append(list.Items, *each)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// reconcilerOf returns a Reconciler whose management cluster holds the objects, and
// to whose Cluster prod, of the namespace default or none, the given configuration
// leads, nil for none.
func reconcilerOf(t *testing.T, workloadCluster *rest.Config, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(
		v1alpha1.AddToScheme(scheme), clusterv1.AddToScheme(scheme), corev1.AddToScheme(scheme),
	); err != nil {
		t.Fatal(err)
	}
	management := fake.NewClientBuilder().WithScheme(scheme).WithObjects(copiesOf(objects)...).
		WithStatusSubresource(&v1alpha1.ClusterBundle{}).
		WithIndex(&v1alpha1.ClusterBundle{}, capi.ClusterField, func(o client.Object) []string {
			return []string{o.(*v1alpha1.ClusterBundle).Spec.ClusterName}
		}).Build()
	connected := make(map[client.ObjectKey]*rest.Config)
	if workloadCluster != nil {
		connected[client.ObjectKey{Namespace: "default", Name: "prod"}] = workloadCluster
		connected[client.ObjectKey{Name: "prod"}] = workloadCluster
	}
	return &Reconciler{
		Client:      management,
		Bundles:     capi.Bundles{Reader: management},
		Status:      status.NewWriter(management, events.NewFakeRecorder(10), clock.RealClock{}),
		Library:     opened{},
		Connections: connectionsTo(t, connected),
		Watches:     workload.NewWatches(t.Context(), func(types.NamespacedName) {}),
		Clock:       clock.RealClock{},
		lanes:       newLanes(4),
	}
}

func TestAClusterBundleThatNothingIsTheMatterWithComesBack(t *testing.T) {
	t.Parallel()
	once := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-prod"}}
	once.Spec = v1alpha1.ClusterBundleSpec{
		ClusterName: "prod", SetName: "cni", BundleName: "calico", Strategy: v1alpha1.ApplyOnceStrategy,
		Version: "1.0.0", Digest: "sha256:1",
	}
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}}
	tests := map[string]struct {
		givenCluster *clusterv1.Cluster
		givenSet     *v1alpha1.ClusterBundleSet
		givenDigest  v1alpha1.Digest // that is complete in the workload cluster
		want         string
	}{
		"it is ready":             {prepared(), nil, "sha256:1", "True Ready"},
		"it is paused":            {prepared(pausedBySpec), nil, "", "False Paused: Cluster spec.paused is set to true"},
		"its set is paused":       {prepared(), pausedSet(), "", "False Paused: ClusterBundleSet has the cluster.x-k8s.io/paused annotation"},
		"its release has changed": {prepared(), nil, incomplete, "False ReleaseChanged: " + releaseChanged(once).Error()},
	}
	const period = 10 * time.Minute
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := []client.Object{once.DeepCopy(), bundle.DeepCopy(), tc.givenCluster}
			if tc.givenSet != nil {
				objects = append(objects, tc.givenSet)
			}
			r := reconcilerOf(t, completeParent(t, tc.givenDigest), objects...)
			r.SyncPeriod = period
			key := client.ObjectKeyFromObject(once)
			// Twice: what is found again has nothing to write.
			for range 2 {
				got, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
				if err != nil || got.RequeueAfter < period || got.RequeueAfter > period*3/2 {
					t.Errorf("want to come back after %v to %v, got %v, %v", period, period*3/2, got.RequeueAfter, err)
				}
			}
			after := &v1alpha1.ClusterBundle{}
			if err := r.Client.Get(t.Context(), key, after); err != nil {
				t.Fatal(err)
			}
			if got := statuses(after)[v1alpha1.ReadyCondition]; got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// copiesOf returns copies of objects: a fake client writes to those that it is given, and
// tests that run at the same time may have the same.
func copiesOf(objects []client.Object) []client.Object {
	copies := make([]client.Object, len(objects))
	for i, object := range objects {
		copies[i] = object.DeepCopyObject().(client.Object)
	}
	return copies
}
