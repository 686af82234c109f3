package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// sets sorts each of the given groups: the order in a step is not kept.
func sets(groups ...[]string) [][]string {
	for _, group := range groups {
		slices.Sort(group)
	}
	return groups
}

func TestNothingIsAppliedBehindAClosedGate(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.discoveryDelay, cluster.workloadDelay = 1, 1
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	var got [][]string
	for range 6 {
		r.Run(t.Context())
		got = append(got, cluster.take("apply"))
	}
	want := [][]string{
		{parentPath, gadgetsPath, widgetsPath},
		nil, // not served yet
		{spacePath, accountPath, operatorPath, parentPath},
		nil, // not ready yet
		{webhookPath, settingsPath, widgetPath, gadgetPath, parentPath},
		nil,
	}
	if diff := cmp.Diff(sets(want...), sets(got...)); diff != "" {
		t.Errorf("applied in each pass (-want +got):\n%s", diff)
	}
}

func TestStepsFollowEachOtherInOnePhase(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	converge(t, rolloutOf(cluster, releaseOf(t, "one", mixed())))
	got := cluster.take("apply")
	want := [][]string{
		{parentPath}, {spacePath}, {gadgetsPath, widgetsPath}, {accountPath, settingsPath}, {operatorPath},
		{webhookPath}, {gadgetPath, widgetPath}, {parentPath},
	}
	var groups [][]string
	for _, group := range want {
		n := min(len(group), len(got))
		groups, got = append(groups, got[:n]), got[n:]
	}
	if diff := cmp.Diff(sets(want...), sets(append(groups, got)...)[:len(want)]); diff != "" || len(got) > 0 {
		t.Errorf("applied (-want +got):\n%s\nand %v", diff, got)
	}
}

func TestParentIsWrittenBeforeTheFirstObject(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "apply" && c.path == parentPath {
			return errBroken, false
		}
		return nil, false
	}
	o := r.Run(t.Context())
	if o.Known || o.Applied() {
		t.Errorf("want nothing known, got %+v", o)
	}
	if diff := cmp.Diff([]string{parentPath}, cluster.take("apply")); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestParentHoldsWhatKEP3659AsksFor(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	converge(t, rolloutOf(cluster, releaseOf(t, "one", addOn()...)))
	parent, record := cluster.parent()
	id := inventory.ParentOf("default", "cni").ID()
	if diff := cmp.Diff(map[string]string{"applyset.kubernetes.io/id": id}, parent.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	wantAnnotations := map[string]string{
		"applyset.kubernetes.io/tooling": "caapb/v1",
		"applyset.kubernetes.io/contains-group-kinds": "ConfigMap,CustomResourceDefinition.apiextensions.k8s.io," +
			"Deployment.apps,Gadget.example.com,Namespace,ServiceAccount," +
			"ValidatingWebhookConfiguration.admissionregistration.k8s.io,Widget.example.com",
		"addons.cluster.x-k8s.io/bundle":  "default/calico",
		"addons.cluster.x-k8s.io/version": "1.2.3",
		"addons.cluster.x-k8s.io/digest":  "one",
		"addons.cluster.x-k8s.io/phase":   "complete",
	}
	if diff := cmp.Diff(wantAnnotations, parent.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	done := inventory.PhaseTimes{Started: noon, Completed: noon}
	wantProgress := inventory.Progress{Phase: 3, Phases: []inventory.PhaseTimes{done, done, done}}
	if diff := cmp.Diff(wantProgress, record.Progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

func TestCompleteReleaseIsNotWritten(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	converge(t, r)
	cluster.take("apply")
	for pass := range 3 {
		if o := r.at(time.Duration(pass) * time.Hour).Run(t.Context()); o.Err != nil || !o.Applied() {
			t.Errorf("want a release that is ready, got %+v", o)
		}
	}
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("want no writes, got %v", got)
	}
}

func TestEmptyPlanIsComplete(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "none", written{name: "nothing"}))
	o := converge(t, r)
	if !o.Applied() || o.Current != 1 {
		t.Errorf("want it complete, got %+v", o)
	}
	cluster.take("apply")
	r.Run(t.Context())
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("want no writes, got %v", got)
	}
}

func TestNewDigestGoesFromTheStartAndOldKindsLeaveTheInventory(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = 0
	phases := addOn()
	converge(t, rolloutOf(cluster, releaseOf(t, "one", phases...)))
	cluster.take("apply")

	phases[2].documents = []string{object("v1", "Secret", "operator", "token")}
	later := rolloutOf(cluster, releaseOf(t, "two", phases...)).at(time.Hour)
	o := later.Run(t.Context())
	if o.Err != nil || o.Current != 3 {
		t.Fatalf("want it complete, got %+v", o)
	}
	want := []string{parentPath, "v1/operator/secrets/token", parentPath}
	if diff := cmp.Diff(want, cluster.take("apply")); diff != "" {
		t.Errorf("want what differs between the parent and the parent (-want +got):\n%s", diff)
	}
	_, record := cluster.parent()
	want = []string{
		"CustomResourceDefinition.apiextensions.k8s.io", "Deployment.apps", "Namespace",
		"Secret", "ServiceAccount", "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
	}
	if diff := cmp.Diff(want, record.GroupKinds); diff != "" {
		t.Errorf("group kinds (-want +got):\n%s", diff)
	}
	if got := record.Progress.Phases[0].Started; record.Digest != "two" || !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("want the new release with its own times, got %s begun at %s", record.Digest, got)
	}
}

func TestProgressThatCannotBeReadMeansNothingDone(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	converge(t, r)
	cluster.take("apply")
	parent, _ := cluster.parent()
	cluster.put(parentPath, map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": parent.ObjectMeta, "data": map[string]any{"progress": "{"},
	})
	delete(cluster.objects, accountPath)
	converge(t, r)
	// What is there says itself as what it was applied.
	if diff := cmp.Diff([]string{accountPath, parentPath}, cluster.take("apply")); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}
