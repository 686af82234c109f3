package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// workloadRetry is when to look again at workloads and at what readyWhen names,
	// in case a watch failed.
	workloadRetry = time.Minute

	// appliedRetry is when to look at workloads that were just applied, unless a
	// watch is faster: no controller has seen them yet.
	appliedRetry = time.Second

	// maxNamed is how many objects a message names.
	maxNamed = 3
)

// errNotReady is in the error of workloads that are not current.
var errNotReady = errors.New("not ready")

// notReadyError is errNotReady in the words and the class of what was found.
type notReadyError struct{ error }

// Unwrap returns what was found.
func (e notReadyError) Unwrap() error { return e.error }

// Is has it be errNotReady.
func (notReadyError) Is(target error) bool { return target == errNotReady }

// stepGate is open when everything of the step that the end of the phase waits for is
// ready. What was ready is not read again while a watch would have seen a change.
func (p *pass) stepGate(ctx context.Context, i int, step plan.Step) error {
	objects := p.awaited(i, step)
	if len(objects) == 0 {
		return nil
	}
	return p.areReady(ctx, i, objects, p.waitedFor(i, objects))
}

// softlyReady is stepGate without Jobs, which may need what stands behind them.
func (p *pass) softlyReady(ctx context.Context, i int, step plan.Step) error {
	objects := p.awaited(i, step)
	return p.areReady(ctx, i, objects, slices.DeleteFunc(p.waitedFor(i, objects), isJob))
}

// awaited returns the objects of a step that the end of the phase waits for.
func (p *pass) awaited(i int, step plan.Step) []*plan.Object {
	return objectsOf([]plan.Step{step}, func(object *plan.Object) bool {
		switch step.Name {
		case plan.StepWorkloads:
			return true
		case plan.StepPreHooks, plan.StepPostHooks:
			return step.Gate == plan.GateHooks && i >= p.record.Progress.Phase // they are done behind it
		case plan.StepServed, plan.StepInstances:
			return p.Release.Phases[i].WaitForConditions
		default:
			return isAPIService(object)
		}
	})
}

// isAPIService reports whether an object has the API server ask another one: while
// that does not answer, discovery fails for all, and no Namespace can be deleted.
func isAPIService(object *plan.Object) bool {
	return object.Group == "apiregistration.k8s.io" && object.Kind == "APIService"
}

// areReady returns an error while one of those objects of a step that are waited
// for is not ready.
func (p *pass) areReady(ctx context.Context, i int, objects, waited []*plan.Object) error {
	watched, err := p.watchMembers(ctx, objects)
	if err != nil {
		return err
	}
	first := objects[0]
	if p.Memory.ready[first] != nil && !p.appliedAny(objects) {
		return nil
	}
	delete(p.Memory.ready, first)
	live, err := p.liveObjects(ctx, waited)
	if err != nil {
		return err
	}
	findings := make([]readiness.Finding, len(waited))
	for n, object := range waited {
		findings[n] = p.finding(object, live[object])
	}
	if err := p.closed(i, v1alpha1.WorkloadsNotReadyReason, findings); err != nil {
		return notReadyError{err}
	}
	if p.areMembers(live) && len(waited) == len(p.waitedFor(i, objects)) {
		p.Memory.ready[first] = watched
	}
	return nil
}

// waitedFor returns the objects that the gate of a phase waits for: all of them, but
// for the Jobs and hooks of a phase that was complete before. They are done, and may be
// gone.
func (p *pass) waitedFor(i int, objects []*plan.Object) []*plan.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(object *plan.Object) bool {
		return i < p.complete && !isRepaired(object)
	})
}

// areMembers reports whether all objects are members of the inventory: the watches
// do not report others, as those that another set owns.
func (p *pass) areMembers(live map[*plan.Object]*unstructured.Unstructured) bool {
	for _, object := range live {
		if object.GetLabels()[inventory.PartOfLabel] != p.Parent.ID() {
			return false
		}
	}
	return true
}

// finding finds out whether an object that is as live, nil if it does not exist, is
// ready.
func (p *pass) finding(object *plan.Object, live *unstructured.Unstructured) readiness.Finding {
	switch {
	case p.applied[object]:
		return readiness.Finding{Message: object.Ref.String() + ": not observed by its controller yet"}
	case live == nil && p.isJobDone(object):
		return readiness.Finding{Ready: true}
	case live == nil:
		return readiness.Finding{Message: object.Ref.String() + " does not exist"}
	}
	finding := readiness.Of(live)
	if object.Hook != nil {
		finding = readiness.Hook(live)
	}
	switch {
	case !runsOnce(object):
	case finding.Ready:
		p.Memory.noteJob(object, true)
	case finding.Stalled:
		p.Memory.forgetJob(object)
	}
	return finding
}

// liveObjects reads those of the objects that exist, but for those that this pass
// applied: one list for each kind, or one read where there is one of a kind.
func (p *pass) liveObjects(
	ctx context.Context, objects []*plan.Object,
) (map[*plan.Object]*unstructured.Unstructured, error) {
	var groups []group
	for _, object := range objects {
		if p.applied[object] {
			continue
		}
		resource, ref, err := p.mapper.locate(ctx, *object)
		if err != nil {
			return nil, err
		}
		groups = addTo(groups, resource, wanted{object, ref})
	}
	live := make(map[*plan.Object]*unstructured.Unstructured, len(objects))
	var mu sync.Mutex
	err := p.forEach(ctx, len(groups), func(ctx context.Context, n int) error {
		return p.readGroup(ctx, groups[n], func(object *plan.Object, o *unstructured.Unstructured) {
			mu.Lock()
			defer mu.Unlock()
			live[object] = o
		})
	})
	return live, err
}

// readGroup calls each with the objects of a group that exist. Those that the
// list of the members does not have, since another set owns them, are read.
func (p *pass) readGroup(
	ctx context.Context, g group, each func(*plan.Object, *unstructured.Unstructured),
) error {
	// Of what is listed only that is kept: a cluster can list any number of objects.
	listed := make(map[manifest.Ref]*unstructured.Unstructured)
	if len(g.objects) > 1 {
		wants := make(map[manifest.Ref]bool, len(g.objects))
		for _, w := range g.objects {
			wants[manifest.Ref{Namespace: w.ref.Namespace, Name: w.ref.Name}] = true
		}
		err := p.Cluster.Objects(ctx, g.resource, g.namespace(), p.memberLabel(), func(o *unstructured.Unstructured) {
			if at := (manifest.Ref{Namespace: o.GetNamespace(), Name: o.GetName()}); wants[at] {
				listed[at] = o
			}
		})
		if err != nil {
			return err
		}
	}
	for _, w := range g.objects {
		o := listed[manifest.Ref{Namespace: w.ref.Namespace, Name: w.ref.Name}]
		if o == nil {
			var err error
			if o, err = p.Cluster.Object(ctx, g.resource, w.ref); err != nil {
				return err
			}
		}
		if o != nil {
			each(w.object, o)
		}
	}
	return nil
}

// readyWhen is open when every expression of the phase holds.
// One that held is not read again while its watch would have seen a change.
func (p *pass) readyWhen(ctx context.Context, i int) error {
	expressions := p.Release.Phases[i].ReadyWhen
	findings := make([]readiness.Finding, 0, len(expressions))
	watched := make([]Target, 0, len(expressions))
	for _, expression := range expressions {
		resource, ref, err := p.watchReadyWhen(ctx, expression)
		if err != nil {
			return err
		}
		if p.Memory.met[i] != nil {
			continue
		}
		watched = append(watched, targetOf(resource, ref))
		live, err := p.Cluster.Object(ctx, resource, ref)
		if err != nil {
			return err
		}
		findings = append(findings, expression.Evaluate(ctx, live))
	}
	err := p.closed(i, v1alpha1.ReadyWhenReason, findings)
	if err == nil && len(watched) > 0 {
		p.Memory.met[i] = watched
	}
	return err
}

// closed turns findings that are not ready into the error of a closed gate.
func (p *pass) closed(i int, reason string, findings []readiness.Finding) error {
	var messages []string
	stalled := false
	for _, finding := range findings {
		if !finding.Ready {
			messages = append(messages, finding.Message)
			stalled = stalled || finding.Stalled
		}
	}
	if len(messages) == 0 {
		return nil
	}
	if reason == v1alpha1.WorkloadsNotReadyReason {
		p.notReady[i] += len(messages)
	}
	err := errors.New(text.List(messages, maxNamed, ", "))
	if stalled {
		return fault.Stall(reason, err)
	}
	if reason == v1alpha1.WorkloadsNotReadyReason && len(p.applied) > 0 {
		return fault.Wait(reason, appliedRetry, err)
	}
	return fault.Wait(reason, workloadRetry, err)
}

// memberLabel selects the members of the inventory.
func (p *pass) memberLabel() string { return labelOf(p.Parent) }

func refOf(object v1alpha1.ObjectReference) manifest.Ref {
	group, version, found := strings.Cut(object.APIVersion, "/")
	if !found {
		group, version = "", object.APIVersion
	}
	return manifest.Ref{Group: group, Version: version, Kind: object.Kind, Namespace: object.Namespace, Name: object.Name}
}

func names(objects []plan.Object) string {
	all := make([]string, len(objects))
	for i, object := range objects {
		all[i] = object.Name
	}
	return text.List(all, maxNamed, ", ")
}
