package placement

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestPlacementKeepsTheNamesOfItsSetAndItsCluster(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Placement{
		"plain names":              {"default", "cni", "prod"},
		"names with dots":          {"team-a", "cni.v1", "prod.eu"},
		"long names":               {"default", strings.Repeat("s", 63), strings.Repeat("c", 63)},
		"names that look like one": {"default", "a-b", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{
				ObjectMeta: metav1.ObjectMeta{Namespace: want.Namespace, Name: nameOf(want.Set, want.Cluster)},
				Spec:       v1alpha1.ClusterBundleSpec{SetName: want.Set, ClusterName: want.Cluster},
			}
			if diff := cmp.Diff([]Placement{want}, clusterBundleToPlacement(t.Context(), cb)); diff != "" {
				t.Errorf("placements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := func(n int) string { return strings.Repeat("s", n) }
	tests := map[string]struct {
		givenSet, givenCluster string
		want                   string // of nameOf; a prefix if it is hashed
		wantHashed             bool
	}{
		"short names":                    {"cni", "prod", "cni-prod", false},
		"as long as a label value":       {s(31), s(31), s(31) + "-" + s(31), false},
		"one longer":                     {s(31), s(32), s(31) + "-" + s(20) + "-", true},
		"as long as they get":            {s(63), s(63), s(52) + "-", true},
		"a cut behind the hyphen":        {s(51), s(20), s(51) + "-", true},
		"a cut behind hyphens and a dot": {s(48), "a.-b" + s(40), s(48) + "-a-", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, hashed := nameOf(test.givenSet, test.givenCluster), hashedName(test.givenSet, test.givenCluster)
			if test.wantHashed {
				if digits, ok := strings.CutPrefix(got, test.want); !ok || len(digits) != 10 || got != hashed {
					t.Errorf("want %s with ten digits behind it, got %s", test.want, got)
				}
			} else if got != test.want || got == hashed {
				t.Errorf("want %s, got %s", test.want, got)
			}
			for _, made := range []string{got, hashed} {
				problems := append(validation.IsDNS1123Subdomain(made), validation.IsValidLabelValue(made)...)
				if len(problems) > 0 || len(made) > 63 {
					t.Errorf("%s: %v", made, problems)
				}
			}
		})
	}
}

func TestHashedNamesAreUnique(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	seen := make(map[string][2]string)
	for _, pair := range [][2]string{
		{"a", "b-c"}, {"a-b", "c"}, {"a-b-c", ""}, {"ab", "c"}, {"a", "bc"},
		{long, long}, {long, long[1:]}, {long[1:], long}, {long, "a"}, {long, "b"},
	} {
		name := hashedName(pair[0], pair[1])
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q both have the name %s", pair, other, name)
		}
		seen[name] = pair
	}
	if nameOf("a", "b-c") != nameOf("a-b", "c") {
		t.Error("the names that hashedName is there for are no longer alike")
	}
}

// theSet selects Clusters with the label cni: calico.
func theSet(name string) *v1alpha1.ClusterBundleSet {
	return &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name)},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{"cni": "calico"}},
			Bundle:          v1alpha1.BundleSelector{Name: "calico"},
			Strategy:        v1alpha1.ReconcileStrategy, DeletionPolicy: v1alpha1.RetainDeletionPolicy,
			Adoption: v1alpha1.AlwaysAdoption,
		},
	}
}

func theCluster(name string) *clusterv1.Cluster {
	return &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"cni": "calico"},
	}}
}

func TestWhatASetWants(t *testing.T) {
	t.Parallel()
	set, cluster := theSet("cni"), theCluster("prod")
	set.Spec.Suspend = new(true)
	set.Spec.DeletionPolicy = v1alpha1.DeleteDeletionPolicy
	set.Spec.CRDs, set.Spec.ImmutableFields = v1alpha1.DeleteCRDPolicy, v1alpha1.RecreateImmutableFields
	set.Spec.DependsOn = []v1alpha1.SetReference{{Name: "dns"}}
	set.Spec.Components = []v1alpha1.ComponentChoice{{Name: "ui", Enabled: new(false)}}
	set.Spec.Patches = []v1alpha1.Patch{{Name: "a", JSONPatches: []v1alpha1.JSONPatch{{Op: "remove", Path: "/spec"}}}}
	set.Spec.Variables = []v1alpha1.PatchVariable{{Name: "b", Value: &runtime.RawExtension{Raw: []byte("1")}}}
	set.Labels = map[string]string{clusterv1.WatchLabel: "blue", "other": "label"}
	// Somebody changed what is not theirs, pinned a release and added a label.
	cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{
		ClusterName: "x", SetName: "x", BundleName: "x", Version: "1.2.3", Digest: "sha256:1", Adoption: "x", Strategy: "x",
		DependsOn: []v1alpha1.SetReference{{Name: "x"}, {Name: "y"}},
	}}
	cb.Labels = map[string]string{"theirs": "kept", clusterv1.ClusterNameLabel: "x"}
	setDesired(cb, set, cluster)
	wanted := &v1alpha1.ClusterBundle{
		ObjectMeta: metav1.ObjectMeta{
			Finalizers: []string{v1alpha1.UninstallFinalizer},
			Labels:     map[string]string{"theirs": "kept", clusterv1.ClusterNameLabel: "prod", clusterv1.WatchLabel: "blue"},
			OwnerReferences: []metav1.OwnerReference{
				{
					APIVersion: "addons.cluster.x-k8s.io/v1alpha1", Kind: "ClusterBundleSet", Name: "cni", UID: "uid-cni",
					Controller: new(true), BlockOwnerDeletion: new(true),
				},
				{APIVersion: "cluster.x-k8s.io/v1beta2", Kind: "Cluster", Name: "prod", UID: "uid-prod"},
			},
		},
		Spec: v1alpha1.ClusterBundleSpec{
			ClusterName: "prod", SetName: "cni", BundleName: "calico", Version: "1.2.3", Digest: "sha256:1",
			Strategy: v1alpha1.ReconcileStrategy, DeletionPolicy: v1alpha1.DeleteDeletionPolicy,
			CRDs: v1alpha1.DeleteCRDPolicy, ImmutableFields: v1alpha1.RecreateImmutableFields,
			Adoption: v1alpha1.AlwaysAdoption, Suspend: new(true), DependsOn: []v1alpha1.SetReference{{Name: "dns"}},
			Edits: v1alpha1.Edits{Components: []v1alpha1.ComponentChoice{{Name: "ui", Enabled: new(false)}}},
			Patching: v1alpha1.Patching{
				Patches:   []v1alpha1.Patch{{Name: "a", JSONPatches: []v1alpha1.JSONPatch{{Op: "remove", Path: "/spec"}}}},
				Variables: []v1alpha1.PatchVariable{{Name: "b", Value: &runtime.RawExtension{Raw: []byte("1")}}},
			},
		},
	}
	if diff := cmp.Diff(wanted, cb); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// As the answer to a patch is decoded, in place.
	cb.Spec.DependsOn[0].Name, cb.Spec.Patches[0].Name, cb.Spec.Variables[0].Value.Raw[0] = "decoded", "decoded", '2'
	*cb.Spec.Components[0].Enabled = true
	if set.Spec.DependsOn[0].Name != "dns" || *set.Spec.Components[0].Enabled ||
		set.Spec.Patches[0].Name != "a" || set.Spec.Variables[0].Value.Raw[0] != '1' {
		t.Error("want nothing of the set shared, which is in the cache")
	}
}

func TestClusterChangedLetsThroughWhatMatters(t *testing.T) {
	t.Parallel()
	changed := func(change func(*clusterv1.Cluster)) *clusterv1.Cluster {
		cluster := theCluster("prod")
		change(cluster)
		return cluster
	}
	tests := map[string]struct {
		given *clusterv1.Cluster
		want  bool
	}{
		"a heartbeat": {
			changed(func(c *clusterv1.Cluster) { c.ResourceVersion, c.Status.Phase = "2", "Provisioned" }), false,
		},
		"other labels": {changed(func(c *clusterv1.Cluster) { c.Labels = nil }), true},
		"it is paused": {changed(func(c *clusterv1.Cluster) { c.Spec.Paused = new(true) }), true},
		"it is being deleted": {
			changed(func(c *clusterv1.Cluster) { c.DeletionTimestamp = new(metav1.Now()) }), true,
		},
		"another version": {changed(func(c *clusterv1.Cluster) { c.Spec.Topology.Version = "v1.36.0" }), true},
		"an annotation of pausing": {changed(func(c *clusterv1.Cluster) {
			c.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
		}), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := clusterChanged().Update(event.UpdateEvent{ObjectOld: theCluster("prod"), ObjectNew: test.given})
			if got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
		})
	}
}

// always returns the same version, or error, for every cluster.
type always struct {
	version string
	err     error
}

func (a always) Version(_ context.Context, _ client.ObjectKey, known string) (release.Settled, error) {
	if a.err != nil {
		return release.Settled{Version: known}, a.err
	}
	return release.Settled{Version: a.version}, nil
}

// digestOf is the digest of a release of that version.
func digestOf(version string) v1alpha1.Digest { return v1alpha1.Digest("sha256:" + version) }

// shelf chooses releases with digests by version, or returns an error.
type shelf struct{ err error }

func (s shelf) Select(
	bundle *v1alpha1.Bundle, q release.Query,
) (release.Selection, error) {
	q.Bundle = bundle.Spec
	q.Digest = func(r v1alpha1.Release) (v1alpha1.Digest, error) { return digestOf(r.Version), s.err }
	return release.Select(q)
}

// announced are the messages of the events.
type announced struct{ messages []string }

func (a *announced) Event(_ status.Object, _, format string, args ...any) {
	a.messages = append(a.messages, fmt.Sprintf(format, args...))
}

// reconcilerWith returns a Reconciler whose cluster holds the objects.
func reconcilerWith(t *testing.T, v versions, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), clusterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(copiesOf(objects)...)
	builder.WithIndex(&v1alpha1.ClusterBundle{}, capi.ClusterField, func(o client.Object) []string {
		return []string{o.(*v1alpha1.ClusterBundle).Spec.ClusterName}
	})
	management := builder.Build()
	return &Reconciler{
		Client: management, Bundles: capi.Bundles{Reader: management}, Versions: v, Library: shelf{}, Events: &announced{},
	}
}

func calico(versions ...string) *v1alpha1.Bundle {
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}}
	for _, version := range versions {
		bundle.Spec.Releases = append(bundle.Spec.Releases, v1alpha1.Release{Version: version, Kubernetes: ">=1.34.0-0"})
	}
	return bundle
}

// pins returns the names of all ClusterBundles with the version that is pinned.
func pins(t *testing.T, r *Reconciler) map[string]string {
	t.Helper()
	list := &v1alpha1.ClusterBundleList{}
	if err := r.Client.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, cb := range list.Items {
		all[cb.Name] = cb.Spec.Version
		want := v1alpha1.Digest("")
		if cb.Spec.Version != "" {
			want = digestOf(cb.Spec.Version)
		}
		if cb.Spec.Digest != want {
			t.Errorf("%s: want the digest of release %q, got %q", cb.Name, cb.Spec.Version, cb.Spec.Digest)
		}
	}
	return all
}

// pinnedTo returns the ClusterBundle of the set cni on the Cluster prod.
func pinnedTo(version string, strategy v1alpha1.Strategy) *v1alpha1.ClusterBundle {
	cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-prod"}}
	cb.Spec = v1alpha1.ClusterBundleSpec{ClusterName: "prod", SetName: "cni", Strategy: strategy, Version: version}
	cb.Spec.Digest = digestOf(version)
	return cb
}

func TestPlace(t *testing.T) {
	t.Parallel()
	once := theSet("cni")
	once.Spec.Strategy = v1alpha1.ApplyOnceStrategy
	unselected, pausedCluster := theCluster("prod"), theCluster("prod")
	unselected.Labels = nil
	pausedCluster.Spec.Paused = new(true)
	ready := always{version: "v1.36.0"}
	away := always{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errors.New("not connected"))}
	tests := map[string]struct {
		givenVersions versions
		givenObjects  []client.Object
		want          map[string]string
		wantReason    string
	}{
		"a Cluster that is selected gets the newest release": {
			givenVersions: ready, givenObjects: []client.Object{theSet("cni"), theCluster("prod"), calico("1.0.0", "1.1.0")},
			want: map[string]string{"cni-prod": "1.1.0"},
		},
		"a newer release is pinned": {
			givenVersions: ready,
			givenObjects: []client.Object{
				theSet("cni"), theCluster("prod"), calico("1.0.0", "1.1.0"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy),
			},
			want: map[string]string{"cni-prod": "1.1.0"},
		},
		"with ApplyOnce the first release is pinned": {
			givenVersions: ready, givenObjects: []client.Object{once, theCluster("prod"), calico("1.0.0")},
			want: map[string]string{"cni-prod": "1.0.0"},
		},
		"with ApplyOnce it stays for ever": {
			givenVersions: ready,
			givenObjects: []client.Object{
				once, theCluster("prod"), calico("1.1.0"), pinnedTo("1.0.0", v1alpha1.ApplyOnceStrategy),
			},
			want: map[string]string{"cni-prod": "1.0.0"},
		},
		"a Cluster that is not connected waits for its version": {
			givenVersions: away, givenObjects: []client.Object{theSet("cni"), theCluster("prod"), calico("1.0.0")},
			want: map[string]string{"cni-prod": ""}, wantReason: v1alpha1.ClusterNotConnectedReason,
		},
		"a Cluster that is no longer connected keeps its release": {
			givenVersions: away,
			givenObjects: []client.Object{
				theSet("cni"), theCluster("prod"), calico("1.0.0", "1.1.0"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy),
			},
			want: map[string]string{"cni-prod": "1.0.0"}, wantReason: v1alpha1.ClusterNotConnectedReason,
		},
		"a Bundle that does not exist is waited for": {
			givenVersions: ready, givenObjects: []client.Object{theSet("cni"), theCluster("prod")},
			want: map[string]string{"cni-prod": ""}, wantReason: v1alpha1.BundleNotFoundReason,
		},
		"a Cluster that is no longer selected loses its ClusterBundle": {
			givenVersions: ready,
			givenObjects: []client.Object{
				theSet("cni"), unselected, calico("1.0.0"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy),
			},
			want: map[string]string{},
		},
		"a set that is gone takes its ClusterBundle with it": {
			givenVersions: ready,
			givenObjects:  []client.Object{theCluster("prod"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)},
			want:          map[string]string{},
		},
		"a Cluster that is gone takes its ClusterBundle with it": {
			givenVersions: ready,
			givenObjects:  []client.Object{theSet("cni"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)},
			want:          map[string]string{},
		},
		"no ClusterBundle is made for a Cluster that is paused": {
			givenVersions: ready, givenObjects: []client.Object{theSet("cni"), pausedCluster, calico("1.0.0")},
			want: map[string]string{},
		},
		"none is deleted while the Cluster is paused": {
			givenVersions: ready,
			givenObjects:  []client.Object{pausedCluster, pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)},
			want:          map[string]string{"cni-prod": "1.0.0"},
		},
		"nothing happens without the set": {
			givenVersions: ready, givenObjects: []client.Object{theCluster("prod"), calico("1.0.0")}, want: map[string]string{},
		},
		"nothing happens without the Cluster": {
			givenVersions: ready, givenObjects: []client.Object{theSet("cni"), calico("1.0.0")}, want: map[string]string{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := make([]client.Object, len(test.givenObjects))
			for i, o := range test.givenObjects {
				objects[i] = o.DeepCopyObject().(client.Object)
			}
			r := reconcilerWith(t, test.givenVersions, objects...)
			// Twice: what is as it should be stays so.
			for range 2 {
				_, err := r.place(t.Context(), Placement{"default", "cni", "prod"})
				if got := fault.ReasonOf(err, ""); got != test.wantReason || (err != nil) != (test.wantReason != "") {
					t.Errorf("want reason %q, got %v", test.wantReason, err)
				}
				if diff := cmp.Diff(test.want, pins(t, r)); diff != "" {
					t.Errorf("pinned (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestPlacementsWithOnePlainNameGetTwoNames(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, always{version: "v1.36.0"},
		theSet("a"), theSet("a-b"), theCluster("c"), theCluster("b-c"), calico("1.0.0"))
	for range 2 {
		for _, p := range []Placement{{"default", "a", "b-c"}, {"default", "a-b", "c"}} {
			if _, err := r.place(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string]string{"a-b-c": "1.0.0", hashedName("a-b", "c"): "1.0.0"}
	if diff := cmp.Diff(want, pins(t, r)); diff != "" {
		t.Errorf("pinned (-want +got):\n%s", diff)
	}
}

func TestASettledPlacementComesBack(t *testing.T) {
	t.Parallel()
	const period = 10 * time.Minute
	unselected, pausedCluster := theCluster("prod"), theCluster("prod")
	unselected.Labels = nil
	pausedCluster.Spec.Paused = new(true)
	tests := map[string]struct {
		given            []client.Object
		wantMin, wantMax time.Duration
	}{
		"a release is pinned": {
			[]client.Object{theSet("cni"), theCluster("prod"), calico("1.0.0")}, period, 15 * time.Minute,
		},
		"there is no Bundle":             {[]client.Object{theSet("cni"), theCluster("prod")}, period, 15 * time.Minute},
		"the Cluster is not selected":    {[]client.Object{theSet("cni"), unselected, calico("1.0.0")}, 0, 0},
		"the Cluster is gone":            {[]client.Object{theSet("cni"), calico("1.0.0")}, 0, 0},
		"the set is gone":                {[]client.Object{theCluster("prod"), calico("1.0.0")}, 0, 0},
		"the Cluster is paused till now": {[]client.Object{theSet("cni"), pausedCluster, calico("1.0.0")}, 0, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, always{version: "v1.36.0"}, tc.given...)
			r.SyncPeriod = period
			got, err := r.Reconcile(t.Context(), Placement{"default", "cni", "prod"})
			if err != nil || got.RequeueAfter < tc.wantMin || got.RequeueAfter > tc.wantMax {
				t.Errorf("want to come back after %v to %v, got %v, %v", tc.wantMin, tc.wantMax, got.RequeueAfter, err)
			}
		})
	}
}

// TestAnUpgradeIsSeenWithoutAnEvent looks at a placement again after the version
// changed, as the queue does after SyncPeriod.
func TestAnUpgradeIsSeenWithoutAnEvent(t *testing.T) {
	t.Parallel()
	bundle := calico("1.0.0", "1.1.0")
	bundle.Spec.Releases[1].Kubernetes = ">=1.36.0-0"
	r := reconcilerWith(t, nil, theSet("cni"), theCluster("prod"), bundle)
	for _, step := range []struct{ given, want string }{{"v1.35.4", "1.0.0"}, {"v1.36.0", "1.1.0"}} {
		r.Versions = always{version: step.given}
		if _, err := r.Reconcile(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"cni-prod": step.want}, pins(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.given, diff)
		}
	}
}

func TestAnotherVersionLeadsToThePlacementsOfItsCluster(t *testing.T) {
	t.Parallel()
	other := theSet("other")
	other.Spec.ClusterSelector.MatchLabels = map[string]string{"cni": "cilium"}
	r := reconcilerWith(t, nil, theSet("cni"), theSet("logging"), other, theCluster("prod"), theCluster("dev"))
	tests := map[string]struct {
		given string
		want  []Placement
	}{
		"a Cluster that two sets select": {"prod", []Placement{{"default", "cni", "prod"}, {"default", "logging", "prod"}}},
		"a Cluster that is gone":         {"gone", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.connectionToPlacements(t.Context(), types.NamespacedName{Namespace: "default", Name: tc.given})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("placements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnApplyOnceIsSettledWhenItIsComplete(t *testing.T) {
	t.Parallel()
	done, open := v1alpha1.PhaseStatus{CompletionTime: new(metav1.Now())}, v1alpha1.PhaseStatus{}
	tests := map[string]struct {
		givenStrategy v1alpha1.Strategy
		givenVersion  string
		givenStatus   v1alpha1.ClusterBundleStatus
		want          bool
	}{
		"a status that is absent, as after a move, holds the choice back": {
			givenStrategy: v1alpha1.ApplyOnceStrategy, givenVersion: "1.0.0", want: true,
		},
		"all phases were complete": {
			v1alpha1.ApplyOnceStrategy, "1.0.0",
			v1alpha1.ClusterBundleStatus{ObservedGeneration: 1, Phases: []v1alpha1.PhaseStatus{done, done}}, true,
		},
		"a phase was never complete": {
			v1alpha1.ApplyOnceStrategy, "1.0.0",
			v1alpha1.ClusterBundleStatus{ObservedGeneration: 1, Phases: []v1alpha1.PhaseStatus{done, open}}, false,
		},
		"no pass was ever made": {
			v1alpha1.ApplyOnceStrategy, "1.0.0", v1alpha1.ClusterBundleStatus{ObservedGeneration: 1}, false,
		},
		"nothing is pinned": {givenStrategy: v1alpha1.ApplyOnceStrategy},
		"the strategy is Reconcile": {
			v1alpha1.ReconcileStrategy, "1.0.0",
			v1alpha1.ClusterBundleStatus{ObservedGeneration: 1, Phases: []v1alpha1.PhaseStatus{done}}, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{Status: test.givenStatus}
			cb.Spec.Strategy, cb.Spec.Version = test.givenStrategy, test.givenVersion
			if got := isSettled(cb); got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
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
