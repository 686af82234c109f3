package plan

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// steps are the steps of a phase in their order, with their gates.
//
// Webhooks and API services go behind the workloads that answer for them: a
// webhook with failurePolicy Fail and no endpoints blocks the very Pods that
// would be its endpoints. Instances of kinds that the phase defines go last since
// those webhooks and the operator may have to see them. Instances of other kinds,
// which somebody serves already, go before the workloads: these may mount what a
// Certificate or an ExternalSecret makes.
var steps = []Step{
	{Name: StepNamespaces},
	{Name: StepCRDs, Gate: GateCRDs},
	{Name: StepConfig},
	{Name: StepServed},
	{Name: StepWorkloads, Gate: GateWorkloads},
	{Name: StepWebhooks},
	{Name: StepInstances},
}

// kindSteps holds the step of each built-in kind that is not configuration.
var kindSteps = map[schema.GroupKind]StepName{
	{Kind: "Namespace"}: StepNamespaces,

	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: StepCRDs,

	{Kind: "Pod"}:                        StepWorkloads,
	{Kind: "ReplicationController"}:      StepWorkloads,
	{Group: "apps", Kind: "ReplicaSet"}:  StepWorkloads,
	{Group: "apps", Kind: "Deployment"}:  StepWorkloads,
	{Group: "apps", Kind: "DaemonSet"}:   StepWorkloads,
	{Group: "apps", Kind: "StatefulSet"}: StepWorkloads,
	{Group: "batch", Kind: "Job"}:        StepWorkloads,
	{Group: "batch", Kind: "CronJob"}:    StepWorkloads,

	{Group: "apiregistration.k8s.io", Kind: "APIService"}: StepWebhooks,

	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"}:          StepWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"}:   StepWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:     StepWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:        StepWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: StepWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}:   StepWebhooks,
}

// configRanks orders the kinds inside the step of configuration: who, may do
// what, bound together. Kinds that are not here come behind these.
var configRanks = map[schema.GroupKind]int{
	{Kind: "ServiceAccount"}: -3,

	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:        -2,
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               -2,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: -1,
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        -1,
}

// StepOf returns the step of a kind, StepInstances for all that are not built in. The
// version does not matter: a preview version of a built-in kind keeps its place.
func StepOf(kind schema.GroupKind) StepName {
	if name, ok := kindSteps[kind]; ok {
		return name
	}
	if manifest.IsBuiltIn(kind.Group, kind.Kind) {
		return StepConfig
	}
	return StepInstances
}

// Removal returns the steps of a phase in the order in which their objects are
// removed: what is in no plan any more. It is the order in which they are applied,
// from its end: instances while the operator that looks after them lives.
func Removal() []StepName {
	names := make([]StepName, len(steps))
	for i, step := range steps {
		names[len(steps)-1-i] = step.Name
	}
	return names
}

// stepIn returns the step of an object in a phase that defines some kinds.
func stepIn(defined map[schema.GroupKind]bool, o Object) StepName {
	name := StepOf(o.GroupKind())
	if name == StepInstances && !defined[o.GroupKind()] {
		return StepServed
	}
	return name
}

// stepsOf sorts the objects of one phase into steps, hooks among them.
func stepsOf(objects []Object) []Step {
	defined := make(map[schema.GroupKind]bool)
	for _, o := range objects {
		if o.CRD != nil {
			defined[schema.GroupKind{Group: o.CRD.Group, Kind: o.CRD.Kind}] = true
		}
	}
	ordinary, before, after := splitHooks(objects)
	behind := slices.IndexFunc(steps, func(step Step) bool { return step.Name == StepConfig })
	return slices.Concat(
		sortInto(steps[:behind], defined, ordinary),
		hookSteps(StepPreHooks, defined, before),
		sortInto(steps[behind:], defined, ordinary),
		hookSteps(StepPostHooks, defined, after),
	)
}

// sortInto returns those of the steps that have objects, with them.
func sortInto(steps []Step, defined map[schema.GroupKind]bool, objects []Object) []Step {
	var result []Step
	for _, step := range steps {
		for _, o := range objects {
			if stepIn(defined, o) == step.Name {
				step.Objects = append(step.Objects, o)
			}
		}
		if len(step.Objects) == 0 {
			continue
		}
		slices.SortFunc(step.Objects, compare)
		result = append(result, step)
	}
	return result
}

// compare orders the objects of one step.
func compare(a, b Object) int {
	return cmp.Or(
		cmp.Compare(configRanks[a.GroupKind()], configRanks[b.GroupKind()]),
		a.Compare(b.Ref),
	)
}
