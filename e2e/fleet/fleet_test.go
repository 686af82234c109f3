package main

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/remote"
)

func TestOnlyWhatIsNewOrOtherHasChanged(t *testing.T) {
	t.Parallel()
	const (
		same  = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: same}\n"
		old   = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {v: \"1\"}}\n"
		other = "---\n# a comment\napiVersion: v1\nkind: Namespace\nmetadata: {labels: {v: \"2\"}, name: a}\n"
		gone  = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: gone}\n"
		added = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"
	)
	all := []release{
		{"1", [][]byte{[]byte(same + old), []byte(gone)}},
		{"2", [][]byte{[]byte(other), []byte("---\n# nothing\n" + added), []byte("# moved\n" + same)}},
	}
	objects, changed, err := compare(all, "1", "2")
	if err != nil || objects != 3 || changed != 2 {
		t.Errorf("%d objects, %d changed (%v), want 3 and 2", objects, changed, err)
	}
	if _, _, err := compare(all, "1", "3"); err == nil {
		t.Error("a release that is not there was compared")
	}
}

func TestPatchesOfTheParentAreNotOfObjects(t *testing.T) {
	t.Parallel()
	got := applied(outcome.Traffic{Kinds: map[string]int64{
		"patch customresourcedefinitions.apiextensions.k8s.io": 3, "patch configmaps": 5, "get /version": 7, "patch namespaces": 1,
	}})
	if got != 4 {
		t.Errorf("%d objects were applied, want 4", got)
	}
}

func TestGroupsDoNotOverlapAndTheirSizesFit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 10, 100, 1000, 3000} {
		l := newLayout(n)
		at := 0
		for _, g := range []group{l.fleet, l.alone, l.beside, l.silent, l.load} {
			if g.from != at || g.size() < 1 {
				t.Errorf("%d Clusters: the group %+v does not begin at %d", n, g, at)
			}
			at = g.to
		}
		if l.size() != at || l.fleet.size() != n || l.alone.size() != l.beside.size() || l.load.size()%len(widths) != 0 {
			t.Errorf("%d Clusters: %+v", n, l)
		}
	}
}

func TestTheSecondHalfBeginsBehindTheLastCRD(t *testing.T) {
	t.Parallel()
	all := []remote.Request{
		{Method: "GET", Path: "/version"},
		{Method: "PATCH", Path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a"},
		{Method: "GET", Path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a"},
		{Method: "PATCH", Path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/b"},
		{Method: "PATCH", Path: "/apis/example.com/v1/as/a"},
	}
	if first, second := halves(all); len(first) != 4 || len(second) != 1 {
		t.Errorf("halves of %d and %d requests", len(first), len(second))
	}
	if first, second := halves(all[:1]); len(first) != 0 || len(second) != 1 {
		t.Errorf("without CRDs: halves of %d and %d requests", len(first), len(second))
	}
}

func TestUpdatesAreForAnyState(t *testing.T) {
	t.Parallel()
	const body = `{"metadata":{"name":"a","resourceVersion":"7","uid":"u"}}`
	given := []remote.Request{{Method: "PUT", Body: []byte(body)}, {Method: "PATCH", Body: []byte(body)}}
	got, err := unconditional(given)
	if err != nil {
		t.Fatal(err)
	}
	if string(got[0].Body) != `{"metadata":{"name":"a"}}` || string(got[1].Body) != body || string(given[0].Body) != body {
		t.Errorf("got %s and %s of %s", got[0].Body, got[1].Body, given[0].Body)
	}
}

// reporting returns a ClusterBundle of the Cluster with that version.
func reporting(cluster, version string, observed int64, ready metav1.ConditionStatus) *v1alpha1.ClusterBundle {
	b := &v1alpha1.ClusterBundle{}
	b.Generation, b.Status.ObservedGeneration = 2, observed
	b.Spec.ClusterName, b.Spec.Version = cluster, version
	b.Status.Phases = []v1alpha1.PhaseStatus{{Name: crdPhase, State: v1alpha1.ReadyPhaseState}}
	b.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ReadyCondition, Status: ready, Reason: "Why", Message: "because"}}
	return b
}

func TestAWaveIsCompleteOnceAllAreReadyWithItsVersion(t *testing.T) {
	t.Parallel()
	w, start := &watcher{reasons: map[string]string{}}, time.Unix(1000, 0)
	a := w.await("2", []string{"x", "y"})
	w.starting(a, "x", start)
	w.starting(a, "y", start.Add(time.Second))
	for i, b := range []*v1alpha1.ClusterBundle{
		reporting("x", "1", 2, metav1.ConditionTrue), // of the release before
		reporting("x", "2", 1, metav1.ConditionTrue), // of the spec before
		reporting("z", "2", 2, metav1.ConditionTrue), // of another Cluster
		reporting("x", "2", 2, metav1.ConditionFalse),
		reporting("x", "2", 2, metav1.ConditionTrue),
		reporting("y", "2", 2, metav1.ConditionFalse),
	} {
		w.see(b, start.Add(time.Duration(i+1)*time.Second))
		select {
		case <-a.done:
			t.Fatalf("the wave is complete behind report %d", i)
		default:
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.wait(cancelled, a); err == nil || !strings.Contains(err.Error(), "1 of 2 Clusters are Ready with 2, and not y: Why: because") {
		t.Errorf("it lacks: %v", err)
	}
	w.see(reporting("y", "2", 2, metav1.ConditionTrue), start.Add(8*time.Second))
	if err := w.wait(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	established, ready := a.spreads()
	if a.lasted() != 8*time.Second || ready.P50 != 5 || ready.Max != 7 || established.P50 != 4 || established.Max != 5 {
		t.Errorf("it lasted %s: established %+v, ready %+v", a.lasted(), established, ready)
	}
}

func TestRequestsAreCountedByTheirHost(t *testing.T) {
	t.Parallel()
	const metrics = `# HELP rest_client_requests_total Number of HTTP requests.
rest_client_requests_total{code="200",host="127.0.0.1:6443",method="GET"} 7
rest_client_requests_total{code="201",host="127.0.0.1:6443",method="POST"} 1.2e+03
rest_client_requests_total{code="200",host="127.1.0.1:6443",method="GET"} 5
other_total{host="127.0.0.1:6443"} 3
`
	if got, err := requestsTo(metrics, "https://127.0.0.1:6443"); err != nil || got != 1207 {
		t.Errorf("got %d: %v", got, err)
	}
	if got, err := requestsTo(metrics, "https://127.0.0.1:644"); err == nil {
		t.Errorf("got %d of a host that was not asked", got)
	}
}

func TestTheManagerRunsWithTheFlagsOfItsDeployment(t *testing.T) {
	t.Parallel()
	args, env, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 || args[0] != "--leader-elect" || !strings.HasPrefix(strings.Join(env, " "), "GOMEMLIMIT=") {
		t.Errorf("flags %v, variables %v", args, env)
	}
	for _, arg := range args {
		if strings.Contains(arg, "$") || isOwn(arg) {
			t.Errorf("%s is not for a run", arg)
		}
	}
}

func TestARunThatTheMachineCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	if err := checkMemory(memoryBase+10*memoryPerCluster, 11); err == nil || !strings.Contains(err.Error(), "11 simulated clusters need") {
		t.Errorf("too little memory: %v", err)
	}
	if err := checkMemory(memoryBase+10*memoryPerCluster, 10); err != nil {
		t.Error(err)
	}
	if err := checkFiles(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Errorf("too few files: %v", err)
	}
	if err := checkFolder(t.TempDir() + "/missing"); err == nil {
		t.Error("a folder that is not there has a place for results")
	}
	if _, err := parse([]string{"-n", "0"}); err == nil {
		t.Error("no Cluster is a run")
	}
}
