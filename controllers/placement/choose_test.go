package placement

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

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

// reported writes the status that the controller of ClusterBundles would: of what is
// pinned, by the condition that is True.
func reported(t *testing.T, r *Reconciler, condition string) {
	t.Helper()
	cb := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "cni-prod"}, cb); err != nil {
		t.Fatal(err)
	}
	cb.Generation++
	cb.Status = v1alpha1.ClusterBundleStatus{
		ObservedGeneration: cb.Generation, Phases: []v1alpha1.PhaseStatus{{Name: "all"}},
		Conditions: []metav1.Condition{{Type: condition, Status: metav1.ConditionTrue, Message: "too slow"}},
	}
	if err := r.Client.Update(t.Context(), cb); err != nil {
		t.Fatal(err)
	}
}

func TestEachMinorGoesOnWhenAStepIsReady(t *testing.T) {
	t.Parallel()
	set := theSet("cni")
	set.Spec.UpgradePath = v1alpha1.EachMinorUpgradePath
	events := &announced{}
	r := reconcilerWith(t, always{version: "v1.36.0"}, set, theCluster("prod"),
		calico("1.0.0", "1.1.0", "1.1.1", "1.2.0"), pinnedTo("1.0.0", v1alpha1.ReconcileStrategy))
	r.Events = events
	for _, step := range []struct{ given, want string }{
		{"", "1.0.0"}, // no status, as after a move
		{v1alpha1.AppliedCondition, "1.0.0"},
		{v1alpha1.ReadyCondition, "1.1.1"},
		{v1alpha1.AppliedCondition, "1.1.1"},
		{v1alpha1.ReadyCondition, "1.2.0"},
		{v1alpha1.ReadyCondition, "1.2.0"},
	} {
		if step.given != "" {
			reported(t, r, step.given)
		}
		if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"cni-prod": step.want}, pins(t, r)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step, diff)
		}
	}
	want := []string{
		"release 1.1.1 is pinned in place of 1.0.0: on the way to 1.2.0",
		"release 1.2.0 is pinned in place of 1.1.1: 1.2.0 is newer",
	}
	if diff := cmp.Diff(want, events.messages); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAReleaseThatFailedIsRolledBackAndRemembered(t *testing.T) {
	t.Parallel()
	set, bundle := theSet("cni"), calico("1.0.0", "1.1.0")
	set.Spec.RollbackOnFailure = new(true)
	events := &announced{}
	r := reconcilerWith(t, always{version: "v1.36.0"}, set, theCluster("prod"), bundle,
		pinnedTo("1.0.0", v1alpha1.ReconcileStrategy))
	r.Events = events
	place := func(want string) {
		t.Helper()
		if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
			t.Fatal(err)
		}
		if got := pinned(t, r).Version; got != want {
			t.Fatalf("want %s pinned, got %s", want, got)
		}
	}
	reported(t, r, v1alpha1.ReadyCondition)
	place("1.1.0")
	if previous := pinned(t, r).Previous; previous == nil || previous.Version != "1.0.0" {
		t.Errorf("want 1.0.0 remembered as ready, got %+v", previous)
	}
	reported(t, r, v1alpha1.StalledCondition)
	place("1.0.0")
	failed, previous := pinned(t, r).Failed, pinned(t, r).Previous
	if previous == nil || previous.Version != "1.0.0" {
		t.Errorf("want what was never ready not remembered as such, got %+v", previous)
	}
	want := &v1alpha1.FailedRelease{
		ReleaseReference: v1alpha1.ReleaseReference{Version: "1.1.0", Digest: digestOf("1.1.0")}, Message: "too slow",
	}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}

	// By another manager, which knows only the spec.
	r = reconcilerWith(t, always{version: "v1.36.0"}, set, theCluster("prod"), bundle,
		&v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-prod"}, Spec: pinned(t, r)})
	place("1.0.0")
	reported(t, r, v1alpha1.ReadyCondition)
	place("1.0.0")

	// A newer release is another choice.
	bundle = bundle.DeepCopy()
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(bundle), bundle); err != nil {
		t.Fatal(err)
	}
	bundle.Spec.Releases = slices.Concat(bundle.Spec.Releases, calico("1.2.0").Spec.Releases)
	if err := r.Client.Update(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	place("1.2.0")
	if spec := pinned(t, r); spec.Failed != nil || spec.Previous.Version != "1.0.0" {
		t.Errorf("want the failure forgotten, got %+v", spec)
	}
	if want := "release 1.0.0 is pinned in place of 1.1.0: rolled back: too slow"; !slices.Contains(events.messages, want) {
		t.Errorf("want the event %q, got %q", want, events.messages)
	}
}

func TestEditsThatFailAreNoReasonToRollBackTheRelease(t *testing.T) {
	t.Parallel()
	set, bundle := theSet("cni"), calico("1.0.0", "1.1.0")
	set.Spec.RollbackOnFailure = new(true)
	r := reconcilerWith(t, always{version: "v1.36.0"}, set, theCluster("prod"), bundle,
		pinnedTo("1.0.0", v1alpha1.ReconcileStrategy))
	place := func() {
		t.Helper()
		if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
			t.Fatal(err)
		}
		if got := pinned(t, r).Version; got != "1.1.0" {
			t.Fatalf("want 1.1.0 pinned, got %s", got)
		}
	}
	reported(t, r, v1alpha1.ReadyCondition)
	place()
	reported(t, r, v1alpha1.ReadyCondition)
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
		t.Fatal(err)
	}
	set.Spec.ImageRegistries = []v1alpha1.ImageRegistry{{From: "docker.io", To: "mistyped.example.com"}}
	if err := r.Client.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	place()
	reported(t, r, v1alpha1.StalledCondition)
	place()
}

func TestAReleaseThatBecameReadyOrFailedLeadsToItsPlacement(t *testing.T) {
	t.Parallel()
	with := func(condition string, observed int64) *v1alpha1.ClusterBundle {
		cb := pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)
		cb.Generation, cb.Status.ObservedGeneration = 2, observed
		cb.Status.Phases = []v1alpha1.PhaseStatus{{Name: "all"}}
		cb.Status.Conditions = []metav1.Condition{{Type: condition, Status: metav1.ConditionTrue, Reason: "x"}}
		return cb
	}
	for name, test := range map[string]struct {
		given *v1alpha1.ClusterBundle
		want  bool
	}{
		"it became ready":                     {with(v1alpha1.ReadyCondition, 2), true},
		"it failed":                           {with(v1alpha1.StalledCondition, 2), true},
		"it goes on":                          {with(v1alpha1.AppliedCondition, 2), false},
		"the one before was ready in its way": {with(v1alpha1.ReadyCondition, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := with(v1alpha1.PausedCondition, 2)
			if got := standingChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: test.given}); got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
		})
	}
}

// What a status of before led to may be wrong by now.
func TestAReleaseIsReplacedOnlyInTheClusterBundleThatWasRead(t *testing.T) {
	t.Parallel()
	set, cluster := theSet("cni"), theCluster("prod")
	set.Spec.RollbackOnFailure = new(true)
	stalled := pinnedTo("1.1.0", v1alpha1.ReconcileStrategy)
	stalled.Spec.Previous = &v1alpha1.ReleaseReference{Version: "1.0.0", Digest: digestOf("1.0.0")}
	r := reconcilerWith(t, always{version: "v1.36.0"}, set, cluster, calico("1.0.0", "1.1.0"), stalled)
	reported(t, r, v1alpha1.StalledCondition)
	read := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(stalled), read); err != nil {
		t.Fatal(err)
	}
	reported(t, r, v1alpha1.ReadyCondition)
	if err := r.pin(t.Context(), set, cluster, read); !apierrors.IsConflict(err) {
		t.Errorf("want a conflict, got %v", err)
	}
	if diff := cmp.Diff(map[string]string{"cni-prod": "1.1.0"}, pins(t, r)); diff != "" {
		t.Errorf("pinned (-want +got):\n%s", diff)
	}
}
