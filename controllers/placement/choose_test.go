package placement

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// answering is a workload cluster that answers with a version, at one time after the
// other.
type answering struct {
	reading release.Reading
	now     time.Time
}

// after has time pass and the version be read.
func (a *answering) after(passed time.Duration, version string) {
	a.now = a.now.Add(passed)
	a.reading = a.reading.Add(version, a.now)
}

func (a *answering) Version(_ context.Context, _ client.ObjectKey, known string) (release.Settled, error) {
	return release.Settle(known, a.reading), nil
}

func (a *answering) Forget(client.ObjectKey) { a.reading = release.Reading{} }

// pinned returns what is pinned in the ClusterBundle of the set cni on the Cluster prod.
func pinned(t *testing.T, r *Reconciler) v1alpha1.ClusterBundleSpec {
	t.Helper()
	cb := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "cni-prod"}, cb); err != nil {
		t.Fatal(err)
	}
	return cb.Spec
}

func TestWhileVersionsAlternateThePinStaysAndThePlacementComesBack(t *testing.T) {
	t.Parallel()
	bundle := calico("1.0.0", "1.1.0")
	bundle.Spec.Releases[0].Kubernetes, bundle.Spec.Releases[1].Kubernetes = "<1.36.0-0", ">=1.36.0-0 <1.37.0-0"
	cluster := &answering{}
	r := reconcilerWith(t, cluster, theSet("cni"), theCluster("prod"), bundle)
	r.SyncPeriod = 10 * time.Minute
	const soon = 20 * time.Second
	steps := []struct {
		passed    time.Duration
		answer    string
		want      string
		wantAgain bool
	}{
		{0, "v1.35.4", "1.0.0 by v1.35.4", false},
		{time.Minute, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.35.4", "1.0.0 by v1.35.4", false},
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{time.Hour, "v1.36.0", "1.0.0 by v1.35.4", true}, // it was not connected
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.36.0", "1.0.0 by v1.35.4", true},
		{soon, "v1.36.0", "1.1.0 by v1.36.0", false},
		{soon, "v1.35.4", "1.1.0 by v1.36.0", true}, // an API server that was left behind
		{soon, "v1.37.0", "1.1.0 by v1.36.0", true},
	}
	for i, step := range steps {
		cluster.after(step.passed, step.answer)
		result, err := r.Reconcile(t.Context(), Placement{"default", "cni", "prod"})
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		spec := pinned(t, r)
		if got := spec.Version + " by " + spec.Kubernetes; got != step.want {
			t.Errorf("step %d: want %s, got %s", i, step.want, got)
		}
		if again := result.RequeueAfter == soon; again != step.wantAgain {
			t.Errorf("step %d: want it back soon: %t, got %v", i, step.wantAgain, result.RequeueAfter)
		}
	}
}

// The digest of a chart is that of its rendering for a version of Kubernetes.
func TestAVersionThatNoReleaseFitsIsNotWrittenBesideAnOlderDigest(t *testing.T) {
	t.Parallel()
	bundle := calico("1.0.0")
	bundle.Spec.Releases[0].Kubernetes = "<1.36.0-0"
	r := reconcilerWith(t, always{version: "v1.35.4"}, theSet("cni"), theCluster("prod"), bundle)
	p := Placement{"default", "cni", "prod"}
	if _, err := r.place(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.Versions = always{version: "v1.36.0"}
	if _, err := r.place(t.Context(), p); fault.ReasonOf(err, "") != v1alpha1.NoReleaseFitsReason {
		t.Errorf("want no release to fit, got %v", err)
	}
	if spec := pinned(t, r); spec.Version != "1.0.0" || spec.Kubernetes != "v1.35.4" {
		t.Errorf("want 1.0.0 by v1.35.4 to stay, got %+v", spec)
	}
}

func TestAReleaseIsChosenByTheKnownVersionWhileTheClusterIsAway(t *testing.T) {
	t.Parallel()
	known := pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)
	known.Spec.Kubernetes = "v1.36.0"
	away := always{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errSettling)}
	r := reconcilerWith(t, away, theSet("cni"), theCluster("prod"), calico("1.0.0", "1.1.0"), known)
	if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"cni-prod": "1.1.0"}, pins(t, r)); diff != "" {
		t.Errorf("pinned (-want +got):\n%s", diff)
	}
}

func TestAClusterThatWasMadeAnewBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]versions{
		"it answers": &answering{reading: release.Reading{}.Add("v1.34.0", time.Time{})},
		"it is away": always{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errSettling)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := pinnedTo("1.1.0", v1alpha1.ApplyOnceStrategy)
			of.Spec.Kubernetes = "v1.36.0"
			set := theSet("cni")
			set.Spec.Strategy = v1alpha1.ApplyOnceStrategy
			before := theCluster("prod")
			before.UID = "gone"
			of.OwnerReferences = owners(set, before)
			r := reconcilerWith(t, answer, set, theCluster("prod"), calico("1.0.0"), of)
			_, _ = r.place(t.Context(), Placement{"default", "cni", "prod"})
			r.Versions = &answering{reading: release.Reading{}.Add("v1.34.0", time.Time{})}
			if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
				t.Fatal(err)
			}
			if spec := pinned(t, r); spec.Version != "1.0.0" || spec.Kubernetes != "v1.34.0" {
				t.Errorf("want 1.0.0 by v1.34.0 at once, got %+v", spec)
			}
		})
	}
}

func TestComeBack(t *testing.T) {
	t.Parallel()
	const soon = 20 * time.Second
	stalled := fault.Stallf(v1alpha1.NoReleaseFitsReason, "no release fits")
	tests := map[string]struct {
		given      error
		givenAfter time.Duration
		want       time.Duration
		wantClass  fault.Class
	}{
		"a settled version":                        {stalled, 0, 0, fault.ClassStall},
		"nothing is wrong":                         {nil, soon, soon, fault.ClassWait},
		"a Stall would be looked at slowly":        {stalled, soon, soon, fault.ClassStall},
		"what is waited for may come without time": {fault.Wait("Fetching", 0, errSettling), soon, soon, fault.ClassWait},
		"or sooner":                                {fault.Wait("Fetching", time.Second, errSettling), soon, time.Second, fault.ClassWait},
		"a retry comes by itself":                  {fault.Retry("FetchFailed", errSettling), soon, 0, fault.ClassRetry},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := comeBack(test.given, test.givenAfter)
			if fault.AfterOf(got) != test.want || fault.ClassOf(got) != test.wantClass {
				t.Errorf("want %v after %v, got %v after %v", test.wantClass, test.want, fault.ClassOf(got), fault.AfterOf(got))
			}
		})
	}
}

func TestAVersionThatNoReleaseDependsOnIsNotNoted(t *testing.T) {
	t.Parallel()
	free := calico("1.0.0")
	free.Spec.Releases[0].Kubernetes = ""
	chart := free.DeepCopy()
	chart.Spec.Releases[0].Phases = []v1alpha1.Phase{{Name: "all", Sources: []v1alpha1.Source{{Helm: &v1alpha1.HelmSource{}}}}}
	for name, test := range map[string]struct {
		given *v1alpha1.Bundle
		want  string
	}{
		"for any version":     {free, ""},
		"for some versions":   {calico("1.0.0"), "v1.36.0"},
		"a chart is rendered": {chart, "v1.36.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, always{version: "v1.36.0"}, theSet("cni"), theCluster("prod"), test.given)
			if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
				t.Fatal(err)
			}
			if got := pinned(t, r).Kubernetes; got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
