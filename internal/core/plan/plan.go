package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Input is one phase as the user wrote it.
type Input struct {
	// Name is the name of the phase.
	Name string
	// Blobs are its sources.
	Blobs []Blob
}

// Blob is the index of one source.
type Blob struct {
	// Digest names the object file that the entries point into.
	Digest string
	// Namespace of namespaced objects that name none; empty for "default".
	Namespace string
	// Entries are the objects of the source.
	Entries []manifest.Entry
	// GivesWay has its Namespaces give way to the same ones of other sources of the
	// release, and to those that are in the cluster.
	GivesWay bool
}

// Plan is a release in the order in which it is applied.
type Plan struct {
	// Phases are in the user's order. A phase without objects has no steps.
	Phases []Phase
	// Upgrade is the plan for a Cluster on which a release was complete before, if hooks
	// make it another than that of an installation; else nil.
	Upgrade *Plan
}

// For returns the plan of an upgrade or that of an installation, with the same phases.
func (p *Plan) For(upgrade bool) *Plan {
	if upgrade && p.Upgrade != nil {
		return p.Upgrade
	}
	return p
}

// Variants returns the plan of an installation and, if it is another, that of an
// upgrade.
func (p *Plan) Variants() []*Plan {
	if p.Upgrade == nil {
		return []*Plan{p}
	}
	return []*Plan{p, p.Upgrade}
}

// Phase is a number of objects that are applied together.
type Phase struct {
	// Name is the name that the user gave.
	Name string
	// Steps are in the order in which they are applied. None is empty.
	Steps []Step
}

// Step is a number of objects that may be applied at the same time, in an order
// that is best kept.
type Step struct {
	// Name names the kinds of objects in the step.
	Name StepName
	// Gate must be open before the next step begins.
	Gate Gate
	// Objects are the objects of the step.
	Objects []Object
}

// Object is an object in a plan. The namespace of its Ref is the one of the
// object's path: empty for a resource of the cluster, and DefaultNamespace where a
// namespaced object names none. The stored JSON is as it was published.
type Object struct {
	manifest.Entry
	// Blob is the digest of the file that the entry points into.
	Blob string
	// DefaultNamespace is the namespace of the object if it is namespaced and names
	// none.
	DefaultNamespace string
	// GivesWay means that the object is for a cluster that has none of its name: one
	// that is there, and not the set's, stays as it is.
	GivesWay bool
	// Resource is the API path of the object, if Known.
	Resource manifest.Resource
	// Known is false for a kind that is neither defined in the bundle nor
	// built in: its resource is found by discovery.
	Known bool
	// Moment is when a hook is applied; empty for what is none.
	Moment manifest.Moment
}

// Sum stands for what is applied of the object, in hexadecimal digits. A hook runs once
// for each rendering of its chart, even if it is the same in two of them.
func (o Object) Sum() string {
	if o.Hook == nil {
		return o.SHA256
	}
	sum := sha256.Sum256([]byte(o.SHA256 + " " + o.Blob))
	return hex.EncodeToString(sum[:])
}

// StepName names a step.
type StepName string

// The steps of a phase, in their order.
const (
	// StepNamespaces has the Namespaces.
	StepNamespaces StepName = "namespaces"
	// StepCRDs has the CustomResourceDefinitions.
	StepCRDs StepName = "crds"
	// StepConfig has identity, RBAC, configuration and all other built-in kinds.
	StepConfig StepName = "config"
	// StepServed has instances of kinds that the phase does not define: of earlier
	// phases, and of what the cluster serves already.
	StepServed StepName = "served"
	// StepWorkloads has what runs containers.
	StepWorkloads StepName = "workloads"
	// StepWebhooks has what the API server calls or asks for each request:
	// webhooks, admission policies and API services.
	StepWebhooks StepName = "webhooks"
	// StepInstances has instances of the kinds that the phase defines.
	StepInstances StepName = "instances"
	// StepPreHooks has hooks that run before other objects: several such steps, by
	// their weights and kinds, stand between StepCRDs and StepConfig.
	StepPreHooks StepName = "pre-hooks"
	// StepPostHooks has hooks that run behind all others, in steps of the same kind.
	StepPostHooks StepName = "post-hooks"
)

// Gate names what must hold before the next step or phase begins.
type Gate string

const (
	// GateNone is always open.
	GateNone Gate = ""
	// GateCRDs is open when the CustomResourceDefinitions are served.
	GateCRDs Gate = "CRDs"
	// GateWorkloads is open for the steps behind it when the workloads run as they
	// should, or after a while; the phase ends when they do.
	GateWorkloads Gate = "Workloads"
	// GateHooks is open when the hooks have run: Jobs and Pods to their end.
	GateHooks Gate = "Hooks"
)

// Objects returns the number of objects.
func (p *Plan) Objects() int {
	n := 0
	for range p.All {
		n++
	}
	return n
}

// CRDs returns the number of CustomResourceDefinitions.
func (p *Plan) CRDs() int {
	n := 0
	for o := range p.All {
		if o.CRD != nil {
			n++
		}
	}
	return n
}

// Bytes returns the sum of the lengths of the objects as JSON.
func (p *Plan) Bytes() int64 {
	var n int64
	for o := range p.All {
		n += o.Length
	}
	return n
}

// Images returns the images of all workloads, sorted and unique: those of hooks for an
// upgrade, too.
func (p *Plan) Images() []string {
	var images []string
	for _, variant := range p.Variants() {
		for o := range variant.All {
			images = append(images, o.Images...)
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// All yields the objects in the order of the plan: range over it.
func (p *Plan) All(yield func(*Object) bool) {
	for _, phase := range p.Phases {
		for _, step := range phase.Steps {
			for i := range step.Objects {
				if !yield(&step.Objects[i]) {
					return
				}
			}
		}
	}
}
