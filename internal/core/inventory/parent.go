package inventory

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels and annotations of KEP-3659.
const (
	// PartOfLabel is on every member and holds the ID of its parent.
	PartOfLabel = "applyset.kubernetes.io/part-of"

	// IDLabel is on the parent and holds its ID.
	IDLabel = "applyset.kubernetes.io/id"

	toolingAnnotation    = "applyset.kubernetes.io/tooling"
	groupKindsAnnotation = "applyset.kubernetes.io/contains-group-kinds"
)

// Annotations of ours on the parent.
const (
	bundleAnnotation  = "addons.cluster.x-k8s.io/bundle"
	versionAnnotation = "addons.cluster.x-k8s.io/version"
	digestAnnotation  = "addons.cluster.x-k8s.io/digest"
	phaseAnnotation   = "addons.cluster.x-k8s.io/phase"
	sharedAnnotation  = "addons.cluster.x-k8s.io/shared-group-kinds"
	upgradeAnnotation = "addons.cluster.x-k8s.io/upgrade"

	progressKey = "progress"
	fieldsKey   = "fields"
)

// Namespace of the parent in the workload cluster.
const Namespace = metav1.NamespaceSystem

// tooling names us in the form of KEP-3659: the name of the tool and the
// version of the format that it writes.
const tooling = "caapb/v1"

// Parent is the identity of what one ClusterBundleSet owns in one workload cluster.
type Parent struct {
	set string
}

// ParentOf returns the parent of the ClusterBundleSet with the given namespace
// and name. It depends on nothing else, so that it stays the same when the
// Cluster moves to another management cluster.
func ParentOf(namespace, name string) Parent {
	return Parent{set: namespace + "." + name}
}

// Name of the ConfigMap: "caapb.", the namespace of the set, a dot and its name.
func (p Parent) Name() string { return "caapb." + p.set }

// ID is the value of PartOfLabel on every member: by KEP-3659 the hash of the
// name, namespace, kind and group of the parent.
func (p Parent) ID() string {
	sum := sha256.Sum256([]byte(p.Name() + "." + Namespace + ".ConfigMap."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// Record holds the content of a parent.
type Record struct {
	// Bundle is the namespace and name of the Bundle, Version that of the release.
	Bundle, Version string
	// Digest of the release.
	Digest string
	// Upgrade is whether a release was complete on the Cluster before this one.
	Upgrade bool
	// GroupKinds of the members, as in "Deployment.apps".
	GroupKinds []string
	// Shared are the kinds of objects that the set shares with others that own them.
	Shared []string
	// Progress is how far the release is.
	Progress Progress
	// Fields stand, for each kind, for the fields that the set holds of all its
	// objects of that kind once the release is complete.
	Fields map[string]string
}

// Values of phaseAnnotation behind the last phase.
const (
	// complete is that nothing is left to do.
	complete = "complete"
	// pruning is that what left the bundle is being removed.
	pruning = "pruning"
	// removing is that all members are being removed.
	removing = "removing"
)

// IsComplete reports whether a parent, as it was read, records that every phase
// of the release with the digest is complete, and that what left the bundle with it
// is removed. It is for callers that no longer know the phases of the release.
func IsComplete(parent metav1.Object, digest string) bool {
	annotations := parent.GetAnnotations()
	return annotations[digestAnnotation] == digest && annotations[phaseAnnotation] == complete
}

// IsSettled reports, of a parent as it was read, whether the release that it is of
// is complete, whichever that is.
func IsSettled(parent metav1.Object) bool {
	return parent.GetAnnotations()[phaseAnnotation] == complete
}

// IsDelivered reports, of a parent as it was read, whether all phases of the release
// that it is of are complete, whichever that is: what left may still be removed.
func IsDelivered(parent metav1.Object) bool {
	phase := parent.GetAnnotations()[phaseAnnotation]
	return phase == complete || phase == pruning
}

// PhaseOf returns, of a parent as it was read, the name of the phase that its
// release is in; empty if there is no parent.
func PhaseOf(parent metav1.Object) string { return parent.GetAnnotations()[phaseAnnotation] }

// Progress is how far a release is on a workload cluster.
type Progress struct {
	// Phase is the index of the first phase that is not complete, or the number
	// of phases when all are.
	Phase int `json:"phase"`
	// Phases are the times of the phases that have begun, in order.
	Phases []PhaseTimes `json:"phases,omitempty"`
	// Prune is that members of a release before may still have to be removed: when
	// all phases are complete.
	Prune bool `json:"prune,omitempty"`
}

// PhaseTimes are the times of one phase, in UTC and to the second.
type PhaseTimes struct {
	// Started is when the first object of the phase was about to be applied.
	Started time.Time `json:"started"`
	// Completed is when the phase was ready for the first time; zero before that.
	Completed time.Time `json:"completed,omitzero"`
}

// Begin returns the progress with the current phase begun at now, if it is not yet.
func (p Progress) Begin(now time.Time) Progress {
	if len(p.Phases) > p.Phase {
		return p
	}
	p.Phases = append(slices.Clone(p.Phases), PhaseTimes{Started: now.UTC().Truncate(time.Second)})
	return p
}

// Complete returns the progress with the current phase complete at now and the
// next one current.
func (p Progress) Complete(now time.Time) Progress {
	p.Phases = slices.Clone(p.Phases)
	p.Phases[p.Phase].Completed = now.UTC().Truncate(time.Second)
	p.Phase++
	return p
}

// Update returns the parent as it is to be stored, made of the one that was read:
// what others wrote on it stays, and so does its resource version. phases are the
// names of the phases of the release, for the annotation that people read. It
// returns an error if the progress cannot be encoded.
func (p Parent) Update(read *corev1.ConfigMap, r Record, phases []string) (*corev1.ConfigMap, error) {
	progress, err := json.Marshal(r.Progress)
	if err != nil {
		return nil, fmt.Errorf("progress: %w", err)
	}
	fields, err := json.Marshal(r.Fields)
	if err != nil {
		return nil, fmt.Errorf("fields: %w", err)
	}
	parent := read.DeepCopy()
	parent.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	parent.Namespace, parent.Name = Namespace, p.Name()
	parent.Labels = merged(parent.Labels, map[string]string{IDLabel: p.ID()})
	parent.Annotations = merged(parent.Annotations, map[string]string{
		toolingAnnotation:    tooling,
		groupKindsAnnotation: joined(r.GroupKinds),
		bundleAnnotation:     r.Bundle,
		versionAnnotation:    r.Version,
		digestAnnotation:     r.Digest,
		phaseAnnotation:      phaseReached(r.Progress, phases),
		sharedAnnotation:     joined(r.Shared),
	})
	if len(r.Shared) == 0 {
		delete(parent.Annotations, sharedAnnotation)
	}
	delete(parent.Annotations, upgradeAnnotation)
	if r.Upgrade {
		parent.Annotations[upgradeAnnotation] = "true"
	}
	parent.Data = merged(parent.Data, map[string]string{progressKey: string(progress), fieldsKey: string(fields)})
	if len(r.Fields) == 0 {
		delete(parent.Data, fieldsKey)
	}
	return parent, nil
}

// Removing returns the parent, as it was read, of an inventory whose members are being
// removed: nothing of its release counts as done any more. It is nil if the parent says
// so already. It returns an error as Update does.
func (p Parent) Removing(read *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	if PhaseOf(read) == removing {
		return nil, nil //nolint:nilnil // as documented
	}
	record := RecordOf(read)
	// What is installed again instead has to remove what an earlier release left.
	record.Progress, record.Fields, record.Upgrade = Progress{Prune: true}, nil, false
	return p.Update(read, record, []string{removing})
}

// joined returns the texts of a list in an annotation: sorted and unique.
func joined(texts []string) string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), ",")
}

// listed returns the texts that joined joined.
func listed(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// merged returns a with what b has beside it or instead of it.
func merged(a, b map[string]string) map[string]string {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}

// phaseReached returns for people how far the release is: the name of the phase
// that it is in, "pruning", or "complete".
func phaseReached(p Progress, phases []string) string {
	switch {
	case p.Phase < len(phases):
		return phases[p.Phase]
	case p.Prune:
		return pruning
	}
	return complete
}

// RecordOf returns the record of a parent as Parent.Update wrote it. A progress
// that cannot be read counts as none: a pass then looks at every object again.
func RecordOf(parent *corev1.ConfigMap) Record {
	r := Record{
		Bundle:     parent.Annotations[bundleAnnotation],
		Version:    parent.Annotations[versionAnnotation],
		Digest:     parent.Annotations[digestAnnotation],
		Upgrade:    parent.Annotations[upgradeAnnotation] == "true",
		GroupKinds: listed(parent.Annotations[groupKindsAnnotation]),
		Shared:     listed(parent.Annotations[sharedAnnotation]),
	}
	var progress Progress
	if err := json.Unmarshal([]byte(parent.Data[progressKey]), &progress); err == nil && progress.valid() {
		r.Progress = progress
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(parent.Data[fieldsKey]), &fields); err == nil {
		r.Fields = fields
	}
	return r
}

// valid reports whether the progress can be one that Parent.Update wrote.
func (p Progress) valid() bool {
	return p.Phase >= 0 && p.Phase <= len(p.Phases) && len(p.Phases) <= p.Phase+1
}
