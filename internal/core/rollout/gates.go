package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// Timers beside the watches: discovery has no watch and lags behind the
	// CustomResourceDefinitions. For workloads the timer is a fallback.
	crdRetry      = 2 * time.Second
	workloadRetry = time.Minute

	// CustomResourceDefinitions that are not served after this time are read, at
	// most maxDiagnosed of them, to find out why. Before it, reading them would
	// cost more than waiting.
	diagnoseAfter = 5 * time.Second
	maxDiagnosed  = 3

	// maxNamed is how many objects a message names.
	maxNamed = 3
)

// gate returns an error while the gate behind a step is closed.
func (p *pass) gate(ctx context.Context, i int, step plan.Step) error {
	switch step.Gate {
	case plan.GateCRDs:
		return p.crdGate(ctx, i, step.Objects)
	case plan.GateWorkloads:
		return p.workloadGate(ctx, i, step.Objects)
	case plan.GateNone:
	}
	return nil
}

// crdGate is open when every CustomResourceDefinition of the step is
// established and served with the names in its spec.
func (p *pass) crdGate(ctx context.Context, i int, objects []plan.Object) error {
	served, err := p.served(ctx, objects)
	if err != nil {
		return err
	}
	var closed []plan.Object
	for _, object := range objects {
		if object.CRD != nil && !readiness.CRDServed(*object.CRD, served[object.CRD.Group]).Ready {
			closed = append(closed, object)
		}
	}
	if len(closed) == 0 {
		return nil
	}
	p.notReady[i] += len(closed)
	if err := p.watchMembers(ctx, closed); err != nil {
		return err
	}
	if p.Now().Sub(p.record.Progress.Phases[i].Started) > diagnoseAfter {
		if err := p.diagnose(ctx, closed); err != nil {
			return err
		}
	}
	return fault.Wait(v1alpha1.CRDsNotServedReason, crdRetry, fmt.Errorf(
		"%d of %d CustomResourceDefinitions are not served yet: %s", len(closed), len(objects), names(closed)))
}

// served reads the discovery documents of the group versions that the
// CustomResourceDefinitions define, by group and version.
func (p *pass) served(ctx context.Context, objects []plan.Object) (map[string]map[string][]metav1.APIResource, error) {
	var groupVersions []metav1.GroupVersion
	for _, object := range objects {
		if object.CRD == nil {
			continue
		}
		for _, version := range object.CRD.Served {
			groupVersions = append(groupVersions, metav1.GroupVersion{Group: object.CRD.Group, Version: version})
		}
	}
	slices.SortFunc(groupVersions, func(a, b metav1.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	groupVersions = slices.Compact(groupVersions)

	var mu sync.Mutex
	served := make(map[string]map[string][]metav1.APIResource)
	err := p.forEach(ctx, len(groupVersions), func(ctx context.Context, n int) error {
		gv := groupVersions[n]
		resources, err := p.Cluster.Resources(ctx, gv.Group, gv.Version)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if served[gv.Group] == nil {
			served[gv.Group] = make(map[string][]metav1.APIResource)
		}
		served[gv.Group][gv.Version] = resources
		return nil
	})
	return served, err
}

// diagnose reads some of the CustomResourceDefinitions that are not served. It
// returns a fault.Stall if the conditions of one show that waiting does not help.
func (p *pass) diagnose(ctx context.Context, closed []plan.Object) error {
	return p.forEach(ctx, min(len(closed), maxDiagnosed), func(ctx context.Context, n int) error {
		live, _, err := p.live(ctx, closed[n])
		if err != nil || live == nil {
			return err
		}
		if found := readiness.Conditions(live); found.Stalled {
			return fault.Stall(found.Reason, errors.New(found.Message))
		}
		return nil
	})
}

// workloadGate is open when every workload of the step is current.
func (p *pass) workloadGate(ctx context.Context, i int, objects []plan.Object) error {
	if err := p.watchMembers(ctx, objects); err != nil {
		return err
	}
	findings := make([]readiness.Finding, len(objects))
	err := p.forEach(ctx, len(objects), func(ctx context.Context, n int) error {
		live, ref, err := p.live(ctx, objects[n])
		if err != nil {
			return err
		}
		if live == nil {
			findings[n] = readiness.Finding{Message: ref.String() + " does not exist"}
			return nil
		}
		findings[n] = readiness.Workload(live)
		return nil
	})
	if err != nil {
		return err
	}
	return p.closed(i, v1alpha1.WorkloadsNotReadyReason, findings)
}

// readyWhen is open when every expression of the phase holds.
func (p *pass) readyWhen(ctx context.Context, i int) error {
	expressions := p.Release.Phases[i].ReadyWhen
	findings := make([]readiness.Finding, 0, len(expressions))
	for _, expression := range expressions {
		ref := refOf(expression.Object())
		resource, err := p.mapper.mappingFor(ctx, ref)
		if err != nil {
			return err
		}
		ref = withPathNamespace(resource, ref)
		p.watch(Target{Resource: resource, Namespace: ref.Namespace, Name: ref.Name})
		live, err := p.Cluster.Object(ctx, resource, ref)
		if err != nil {
			return err
		}
		findings = append(findings, expression.Evaluate(live))
	}
	return p.closed(i, v1alpha1.ReadyWhenReason, findings)
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
	return fault.Wait(reason, workloadRetry, err)
}

// live reads an object of the plan; nil if it does not exist.
func (p *pass) live(ctx context.Context, object plan.Object) (*unstructured.Unstructured, manifest.Ref, error) {
	resource, ref, err := p.mapper.locate(ctx, object)
	if err != nil {
		return nil, ref, err
	}
	live, err := p.Cluster.Object(ctx, resource, ref)
	return live, ref, err
}

// watchMembers adds a target for the members of the inventory of each kind among
// the objects.
func (p *pass) watchMembers(ctx context.Context, objects []plan.Object) error {
	for _, object := range objects {
		resource, _, err := p.mapper.locate(ctx, object)
		if err != nil {
			return err
		}
		p.watch(Target{Resource: resource, Label: inventory.PartOfLabel + "=" + p.Parent.ID()})
	}
	return nil
}

// watch adds a target, unless it is there.
func (p *pass) watch(target Target) {
	if !slices.Contains(p.targets, target) {
		p.targets = append(p.targets, target)
	}
}

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
