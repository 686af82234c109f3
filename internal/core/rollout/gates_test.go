package rollout

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

const never = 1 << 30

// wantErr checks all that an error says to machines, and its message.
func wantErr(t *testing.T, err error, class fault.Class, reason string, after time.Duration, message string) {
	t.Helper()
	if err == nil {
		t.Fatalf("want %q, got no error", message)
	}
	if fault.ClassOf(err) != class || fault.ReasonOf(err, "") != reason || fault.AfterOf(err) != after {
		t.Errorf("want class %d, reason %s, after %s, got %d, %s, %s",
			class, reason, after, fault.ClassOf(err), fault.ReasonOf(err, ""), fault.AfterOf(err))
	}
	if diff := cmp.Diff(message, err.Error()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

// conditions returns a status with one condition.
func conditions(kind, status, reason, message string) map[string]any {
	return map[string]any{"observedGeneration": int64(1), "conditions": []any{
		map[string]any{"type": kind, "status": status, "reason": reason, "message": message},
	}}
}

func TestGateOfCRDs(t *testing.T) {
	t.Parallel()
	two := addOn()[0]
	many := two
	for _, name := range []string{"Cog", "Belt", "Nut"} {
		many.documents = append(slices.Clone(many.documents), crd(strings.ToLower(name)+"s", name, "Cluster"))
	}
	const twoWait = "phase crds: 2 of 2 CustomResourceDefinitions are not served yet: " +
		"gadgets.example.com, widgets.example.com"
	conflict := conditions("NamesAccepted", "False", "KindConflict", `"Widget" is already in use`)
	tests := map[string]struct {
		givenPhase  written
		givenStatus map[string]any
		givenAge    time.Duration
		wantClass   fault.Class
		wantReason  string
		wantAfter   time.Duration
		wantMessage string
		wantReads   int
	}{
		"definitions that are not served close it": {
			givenPhase: two, wantClass: fault.ClassWait, wantReason: v1alpha1.CRDsNotServedReason, wantAfter: smallPoll,
			wantMessage: twoWait,
		},
		"a long list is counted": {
			givenPhase: many, wantClass: fault.ClassWait, wantReason: v1alpha1.CRDsNotServedReason, wantAfter: smallPoll,
			wantMessage: "phase crds: 5 of 5 CustomResourceDefinitions are not served yet: " +
				"belts.example.com, cogs.example.com, gadgets.example.com, and 2 more",
		},
		"a conflict of names is not looked for at once": {
			givenPhase: two, givenStatus: conflict, givenAge: diagnoseAfter,
			wantClass: fault.ClassWait, wantReason: v1alpha1.CRDsNotServedReason, wantAfter: smallPoll, wantMessage: twoWait,
		},
		"a conflict of names is terminal after a while": {
			givenPhase: two, givenStatus: conflict, givenAge: diagnoseAfter + time.Second,
			wantClass: fault.ClassStall, wantReason: v1alpha1.CRDNamesConflictReason, wantReads: 2,
			wantMessage: "phase crds: CustomResourceDefinition widgets.example.com: KindConflict: \"Widget\" is already in use",
		},
		"definitions that are slow and not refused are waited for": {
			givenPhase: two, givenStatus: conditions("Established", "False", "Installing", "in a moment"), givenAge: time.Minute,
			wantClass: fault.ClassWait, wantReason: v1alpha1.CRDsNotServedReason, wantAfter: smallPoll,
			wantMessage: twoWait, wantReads: 2,
		},
		"only some of many are read": {
			givenPhase: many, givenAge: time.Minute, wantClass: fault.ClassWait, wantReason: v1alpha1.CRDsNotServedReason,
			wantAfter: smallPoll, wantReads: maxDiagnosed,
			wantMessage: "phase crds: 5 of 5 CustomResourceDefinitions are not served yet: " +
				"belts.example.com, cogs.example.com, gadgets.example.com, and 2 more",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.discoveryDelay = never
			r := rolloutOf(cluster, releaseOf(t, "one", test.givenPhase))
			r.Run(t.Context())
			cluster.take("object")
			cluster.objects[widgetsPath].status = test.givenStatus
			o := r.at(test.givenAge).Run(t.Context())
			wantErr(t, o.Err, test.wantClass, test.wantReason, test.wantAfter, test.wantMessage)
			reads := slices.DeleteFunc(cluster.take("object"), func(at string) bool { return at == parentPath })
			if len(reads) != test.wantReads {
				t.Errorf("want %d definitions read, got %v", test.wantReads, reads)
			}
			want := []Target{membersOf("apiextensions.k8s.io", "customresourcedefinitions", false)}
			if diff := cmp.Diff(want, forGates(o.Targets)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

// membersOf is the target for our objects of a resource in v1.
func membersOf(group, plural string, namespaced bool) Target {
	return Target{
		Resource: manifest.Resource{Group: group, Version: "v1", Plural: plural, Namespaced: namespaced},
		Label:    "applyset.kubernetes.io/part-of=" + inventory.ParentOf("default", "cni").ID(),
	}
}

func TestGateOfWorkloads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenStatus map[string]any
		givenGone   bool
		wantAfter   time.Duration
		wantMessage string
	}{
		"a Deployment that nobody has looked at closes it": {
			wantAfter:   softGateTime,
			wantMessage: "phase operator: Deployment operator/operator: not observed by its controller yet",
		},
		"a Deployment without a replica closes it": {
			givenStatus: map[string]any{"observedGeneration": int64(1)}, wantAfter: softGateTime,
			wantMessage: "phase operator: Deployment operator/operator: Replicas: 0/1",
		},
		"a Deployment that is gone is applied again": {
			givenGone: true, wantAfter: appliedRetry,
			wantMessage: "phase operator: Deployment operator/operator: not observed by its controller yet",
		},
		"a Deployment that gave up closes it": {
			givenStatus: conditions("Progressing", "False", "ProgressDeadlineExceeded", "gave up"), wantAfter: softGateTime,
			wantMessage: "phase operator: Deployment operator/operator: Progress deadline exceeded",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.workloadDelay = never
			r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
			settle(t, r)
			cluster.objects[operatorPath].status = test.givenStatus
			if test.givenGone {
				delete(cluster.objects, operatorPath)
			}
			o := r.Run(t.Context())
			wantErr(t, o.Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, test.wantAfter, test.wantMessage)
			if diff := cmp.Diff([]Target{membersOf("apps", "deployments", true)}, forGates(o.Targets)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			if cluster.objects[webhookPath] != nil {
				t.Error("the webhook was applied before its workload was ready")
			}
		})
	}
}

// forGates returns the targets but those of a release that is complete: the content
// of its objects and the parent.
func forGates(targets []Target) []Target {
	var others []Target
	for _, target := range targets {
		if !target.Content && target != ParentTarget(inventory.ParentOf("default", "cni")) {
			others = append(others, target)
		}
	}
	return others
}

func TestReadyWhen(t *testing.T) {
	t.Parallel()
	widget := v1alpha1.ObjectReference{APIVersion: "example.com/v1", Kind: "Widget", Name: "default", Namespace: "stray"}
	absent := v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: "absent"}
	foreign := v1alpha1.ObjectReference{APIVersion: "other.org/v2", Kind: "Thing", Name: "one"}
	widgets := Target{
		Resource: manifest.Resource{Group: "example.com", Version: "v1", Plural: "widgets"}, Name: "default",
	}
	tests := map[string]struct {
		givenWhen   []v1alpha1.ReadyWhen
		wantReason  string
		wantAfter   time.Duration
		wantMessage string
		wantTargets []Target
	}{
		"an expression that holds opens it": {
			givenWhen:   []v1alpha1.ReadyWhen{{Object: widget, Expression: "self.metadata.name == 'default'"}},
			wantTargets: []Target{widgets},
		},
		"an expression that does not hold closes it": {
			givenWhen: []v1alpha1.ReadyWhen{
				{Object: widget, Expression: "self.metadata.name == 'default'"},
				{Object: widget, Expression: "self.metadata.name == 'other'"},
			},
			wantReason: v1alpha1.ReadyWhenReason, wantAfter: workloadRetry, wantTargets: []Target{widgets},
			wantMessage: "phase resources: Widget stray/default: self.metadata.name == 'other' is false",
		},
		"an object that does not exist closes it": {
			givenWhen:  []v1alpha1.ReadyWhen{{Object: absent, Expression: "true"}},
			wantReason: v1alpha1.ReadyWhenReason, wantAfter: workloadRetry,
			wantMessage: "phase resources: ConfigMap absent does not exist",
			wantTargets: []Target{{
				Resource: configMaps, Namespace: "default", Name: "absent",
			}},
		},
		"a kind that is not served closes it": {
			givenWhen:  []v1alpha1.ReadyWhen{{Object: foreign, Expression: "true"}},
			wantReason: v1alpha1.KindNotServedReason, wantAfter: kindRetry,
			wantMessage: "phase resources: Thing one: the workload cluster does not serve the kind Thing in other.org/v2: " +
				"is its CustomResourceDefinition installed?",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phases := addOn()
			phases[2].readyWhen = test.givenWhen
			// Only the last phase is of interest.
			phases[1].documents = phases[1].documents[3:]
			cluster := newMemory(t)
			o := settle(t, rolloutOf(cluster, releaseOf(t, "one", phases...)))
			if diff := cmp.Diff(test.wantTargets, forGates(o.Targets)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			if !o.Applied() {
				t.Error("want everything applied")
			}
			if test.wantReason != "" {
				wantErr(t, o.Err, fault.ClassWait, test.wantReason, test.wantAfter, test.wantMessage)
			} else if o.Err != nil {
				t.Errorf("want it ready, got %v", o.Err)
			}
		})
	}
}

func TestTimeoutOfAPhase(t *testing.T) {
	t.Parallel()
	const waits = "Deployment operator/operator: not observed by its controller yet"
	tests := map[string]struct {
		givenAge     time.Duration
		givenResumed time.Duration // 0 for never
		wantClass    fault.Class
		wantReason   string
		wantAfter    time.Duration
		wantMessage  string
	}{
		"long before the deadline it waits as the gate says": {
			time.Minute, 0, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, workloadRetry, "phase operator: " + waits,
		},
		"shortly before the deadline it waits until that": {
			4*time.Minute + 50*time.Second, 0, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, 12 * time.Second,
			"phase operator: " + waits,
		},
		"at the deadline it is stalled": {
			5*time.Minute + time.Second, 0, fault.ClassStall, v1alpha1.PhaseTimeoutReason, 0,
			"phase operator: not ready after 5m0s: " + waits,
		},
		"what was held up has its time from then on": {
			time.Hour, time.Hour - (4*time.Minute + 49*time.Second), fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, 12 * time.Second,
			"phase operator: " + waits,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phases := addOn()
			phases[1].timeout = 5 * time.Minute
			cluster := newMemory(t)
			cluster.workloadDelay = never
			r := rolloutOf(cluster, releaseOf(t, "one", phases...))
			r.Memory = &Memory{}
			settle(t, r)
			settle(t, r.at(time.Second))              // the definitions are served
			settle(t, r.at(time.Second+softGateTime)) // what stands behind the workloads does not wait longer
			last := r.at(test.givenAge)
			if test.givenResumed > 0 {
				last.Resumed = r.at(test.givenResumed).Now()
			}
			wantErr(t, last.Run(t.Context()).Err, test.wantClass, test.wantReason, test.wantAfter, test.wantMessage)
		})
	}
}

func TestWaitingForAWatchEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "apply" && c.path == widgetsPath {
			return fault.Wait(v1alpha1.NamespaceTerminatingReason, 0, errBroken), false
		}
		return nil, true
	}
	o := rolloutOf(cluster, releaseOf(t, "one", addOn()...)).Run(t.Context())
	wantErr(t, o.Err, fault.ClassWait, v1alpha1.NamespaceTerminatingReason, 10*time.Minute+time.Second,
		"phase crds: the connection broke")
}

func TestStalledPhaseGoesOnWhenItsGateOpens(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = 2
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	settle(t, r)
	if o := r.at(time.Hour).Run(t.Context()); fault.ClassOf(o.Err) != fault.ClassStall {
		t.Fatalf("want it stalled, got %v", o.Err)
	}
	if o := r.at(2 * time.Hour).Run(t.Context()); o.Err != nil {
		t.Errorf("want it ready, got %v", o.Err)
	}
}

func TestKindsThatOnlyDiscoveryKnows(t *testing.T) {
	t.Parallel()
	served := map[string][]metav1.APIResource{
		"other.org/v2": {{Name: "things/status", Kind: "Thing"}, {Name: "things", Kind: "Thing", Namespaced: true}},
	}
	phase := written{name: "things"}
	var want []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		phase.documents = append(phase.documents, object("other.org/v2", "Thing", "", name))
		want = append(want, "other.org/v2/default/things/"+name)
	}
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", phase))
	o := r.Run(t.Context())
	if fault.ClassOf(o.Err) != fault.ClassWait || fault.ReasonOf(o.Err, "") != v1alpha1.KindNotServedReason {
		t.Errorf("want it to wait for the kind, got %v", o.Err)
	}
	if got := cluster.take("resources"); len(got) != 1 {
		t.Errorf("want discovery read once, got %v", got)
	}
	cluster.extra = served
	cluster.take("apply")
	if o := r.Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	got := slices.DeleteFunc(cluster.take("apply"), func(at string) bool { return at == parentPath })
	if diff := cmp.Diff(sets(want), sets(got)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestWorkloadOfAPreviewVersionIsReadWhereDiscoveryHasIt(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.extra = map[string][]metav1.APIResource{
		"batch/v2beta1": {{Name: "cronjobs", Kind: "CronJob", Namespaced: true}},
	}
	r := rolloutOf(cluster, releaseOf(t, "one", written{
		name: "jobs", documents: []string{object("batch/v2beta1", "CronJob", "", "nightly")},
	}))
	o := converge(t, r)
	if !slices.Contains(cluster.take("object"), "batch/v2beta1/default/cronjobs/nightly") {
		t.Error("want the gate to read the CronJob at its path")
	}
	want := manifest.Resource{Group: "batch", Version: "v2beta1", Plural: "cronjobs", Namespaced: true}
	if got := forGates(o.Targets); len(got) != 1 || got[0].Resource != want {
		t.Errorf("want a watch on %v, got %v", want, got)
	}
}

// crowded is a cluster that lists many objects that nobody asked for, and counts how
// many of them are held at the end of the list.
type crowded struct {
	*memory
	held int
}

func (c *crowded) Objects(
	ctx context.Context, r manifest.Resource, namespace, label string, each func(*unstructured.Unstructured),
) error {
	var others []weak.Pointer[unstructured.Unstructured]
	for n := range 100 {
		other := &unstructured.Unstructured{Object: map[string]any{}}
		other.SetName(fmt.Sprintf("other-%d", n))
		others = append(others, weak.Make(other))
		each(other)
	}
	runtime.GC()
	for _, other := range others {
		if other.Value() != nil {
			c.held++
		}
	}
	return c.memory.Objects(ctx, r, namespace, label, each)
}

func TestWorkloadsThatTheReleaseDoesNotHaveAreNotHeld(t *testing.T) {
	t.Parallel()
	phases := addOn()
	phases[1].documents = append(phases[1].documents, object("apps/v1", "Deployment", "operator", "second"))
	cluster := &crowded{memory: newMemory(t)}
	converge(t, rolloutOf(cluster, releaseOf(t, "one", phases...)))
	if cluster.held > 2 { // the last ones may still be on the stack
		t.Errorf("want none held, got %d", cluster.held)
	}
}
