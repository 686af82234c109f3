package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxMessage bounds what a message repeats of an error of a library, in bytes.
const maxMessage = 300

// Change is a patch as one Cluster gets it.
type Change struct {
	// Name of the patch.
	Name string `json:"name"`
	// Selector of what is patched.
	Selector v1alpha1.PatchSelector `json:"selector"`
	// Optional is whether the change may select nothing.
	Optional bool `json:"optional,omitempty"`
	// Operations are the changes, in their order.
	Operations []Operation `json:"operations"`
}

// Operation is an operation of RFC 6902.
type Operation struct {
	Op    v1alpha1.PatchOperation `json:"op"`
	Path  string                  `json:"path"`
	Value json.RawMessage         `json:"value,omitempty"`
}

// Changes are the patches of a set as one Cluster gets them, without those that are not
// enabled for it.
type Changes []Change

// Digest stands for the changes: equal ones make the same of a release. It is empty
// without any.
func (c Changes) Digest() string {
	if len(c) == 0 {
		return ""
	}
	written, err := json.Marshal(c)
	if err != nil {
		return "" // each value is JSON: Evaluate made it
	}
	return digest.FromBytes(written).String()
}

// Over returns the digest of a release with the changes; its own without any.
func (c Changes) Over(release v1alpha1.Digest) v1alpha1.Digest {
	if len(c) == 0 {
		return release
	}
	return v1alpha1.Digest(digest.FromString("addons.cluster.x-k8s.io/patched/v1\n" + string(release) + "\n" + c.Digest() + "\n"))
}

// OfObjects returns the changes of objects.
func (c Changes) OfObjects() Changes {
	return c.which(func(at v1alpha1.PatchSelector) bool { return at.HelmRelease == "" })
}

// OfCharts returns the changes of values of charts.
func (c Changes) OfCharts() Changes {
	return c.which(func(at v1alpha1.PatchSelector) bool { return at.HelmRelease != "" })
}

// NoteNames adds the names of the changes to a set of names.
func (c Changes) NoteNames(names map[string]bool) {
	for _, change := range c {
		names[change.Name] = true
	}
}

// OfChart returns the changes of the values of charts with a name of their release.
func (c Changes) OfChart(release string) Changes {
	return c.which(func(at v1alpha1.PatchSelector) bool { return release != "" && at.HelmRelease == release })
}

// For returns the changes of an object.
func (c Changes) For(ref manifest.Ref) Changes {
	version := strings.TrimPrefix(ref.Group+"/"+ref.Version, "/")
	return c.which(func(at v1alpha1.PatchSelector) bool {
		return at.APIVersion == version && at.Kind == ref.Kind &&
			(at.Name == "" || at.Name == ref.Name) && (at.Namespace == "" || at.Namespace == ref.Namespace)
	})
}

func (c Changes) which(selects func(v1alpha1.PatchSelector) bool) Changes {
	var those Changes
	for _, change := range c {
		if selects(change.Selector) {
			those = append(those, change)
		}
	}
	return those
}

// What returns for people what the change selects.
func (c Change) What() string {
	at := c.Selector
	switch {
	case at.HelmRelease != "":
		return "chart with the releaseName " + at.HelmRelease
	case at.Name == "" && at.Namespace == "":
		return at.APIVersion + " " + at.Kind
	case at.Name == "":
		return at.APIVersion + " " + at.Kind + " in namespace " + at.Namespace
	}
	return at.APIVersion + " " + manifest.Ref{Kind: at.Kind, Namespace: at.Namespace, Name: at.Name}.String()
}

// Evaluate returns what the patches of a set are for a Cluster with the variables.
//
// Errors name the patch. They are Stalls with the reason PatchFailed, and a Wait with
// VariableNotSet where a patch needs what the Cluster does not have yet.
func Evaluate(patches []v1alpha1.Patch, variables Variables) (Changes, error) {
	evaluation := evaluation{meter: newMeter(), variables: variables}
	var changes Changes
	var errs []error
	for _, patch := range patches {
		change, enabled, err := evaluation.change(patch)
		errs = append(errs, fault.Wrap("patch "+patch.Name, err))
		if enabled {
			changes = append(changes, change)
		}
	}
	return changes, fault.Join(errs...)
}

// NeedKubernetes reports whether patches use the version of the control plane.
func NeedKubernetes(patches []v1alpha1.Patch) bool {
	uses := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return mentions(text, controlPlane) })
	}
	return slices.ContainsFunc(patches, func(patch v1alpha1.Patch) bool {
		return uses(patch.EnabledIf) || slices.ContainsFunc(patch.JSONPatches, func(of v1alpha1.JSONPatch) bool {
			return of.ValueFrom != nil && uses(of.ValueFrom.Variable, of.ValueFrom.Template)
		})
	})
}

// mentions reports whether a path or a template has the name of a variable that may be
// set later.
func mentions(text, name string) bool {
	if name == controlPlane {
		text = strings.ReplaceAll(text, endpoint, "")
	}
	return strings.Contains(text, name)
}

// evaluation is one call of Evaluate.
type evaluation struct {
	meter     *meter
	variables Variables
}

func (e evaluation) change(patch v1alpha1.Patch) (change Change, enabled bool, err error) {
	change = Change{Name: patch.Name, Selector: patch.Selector, Optional: patch.Optional != nil && *patch.Optional}
	if patch.EnabledIf != "" {
		given, err := e.template(patch.EnabledIf)
		if err != nil || strings.TrimSpace(given) != "true" {
			return change, false, fault.Wrap("enabledIf", err)
		}
	}
	for i, of := range patch.JSONPatches {
		operation, err := e.operation(patch.Selector, of)
		if err != nil {
			return change, false, fault.Wrap(fmt.Sprintf("jsonPatches[%d] (%s)", i, text.Line(of.Path, maxMessage)), err)
		}
		change.Operations = append(change.Operations, operation)
	}
	return change, true, nil
}

func (e evaluation) operation(at v1alpha1.PatchSelector, of v1alpha1.JSONPatch) (Operation, error) {
	operation := Operation{Op: of.Op, Path: of.Path}
	if err := checkPath(at, of.Path); err != nil {
		return operation, fault.Stall(v1alpha1.PatchFailedReason, err)
	}
	var err error
	switch {
	case of.Op == v1alpha1.RemovePatchOperation:
	case of.ValueFrom != nil:
		operation.Value, err = e.valueFrom(*of.ValueFrom)
	case of.Value != nil && len(of.Value.Raw) > 0:
		operation.Value = of.Value.Raw
	default:
		err = fault.Stallf(v1alpha1.PatchFailedReason, "%s needs value or valueFrom", of.Op)
	}
	return operation, err
}

func (e evaluation) valueFrom(from v1alpha1.JSONPatchValue) (json.RawMessage, error) {
	if from.Variable != "" {
		return e.variable(from.Variable)
	}
	given, err := e.template(from.Template)
	if err != nil {
		return nil, err
	}
	value, err := manifest.Value([]byte(given), valueLimits)
	if err != nil {
		return nil, fault.Stallf(v1alpha1.PatchFailedReason, "what the template gives: %w", err)
	}
	return value, nil
}

func (e evaluation) variable(path string) (json.RawMessage, error) {
	if err := e.awaits(path); err != nil {
		return nil, err
	}
	value, err := e.variables.lookup(path)
	if err != nil {
		return nil, fault.Stall(v1alpha1.PatchFailedReason, err)
	}
	return json.Marshal(value)
}

// valueLimits bound the value that a template gives in YAML.
var valueLimits = manifest.Limits{Object: 4 * maxMade, Objects: 1, Nesting: 50, Nodes: maxMade}

var errNoValue = errors.New("a variable of the template has no value")

// template returns what a template gives.
func (e evaluation) template(written string) (string, error) {
	if err := e.awaits(written); err != nil {
		return "", err
	}
	given, err := e.meter.execute(written, e.variables)
	if err == nil && strings.Contains(given, "<no value>") {
		err = errNoValue
	}
	if err != nil {
		err = fault.Stallf(v1alpha1.PatchFailedReason, "%s", text.Line(err.Error(), maxMessage))
	}
	return given, err
}

// awaits returns an error while the Cluster does not have what a path or a template
// mentions, and will have it. What a template makes of a value that is missing may look
// like one.
func (e evaluation) awaits(written string) error {
	of, _ := e.variables[builtin].(map[string]any)
	switch {
	case e.variables[endpoint] == nil && mentions(written, endpoint):
		return fault.Wait(v1alpha1.VariableNotSetReason, 0, errNoEndpoint)
	case of[controlPlane] == nil && mentions(written, controlPlane):
		return fault.Wait(v1alpha1.VariableNotSetReason, 0, errNoVersion)
	}
	return nil
}

var (
	errNoEndpoint = errors.New("the Cluster has no controlPlaneEndpoint yet")
	errNoVersion  = errors.New("the Cluster has no builtin.controlPlane.version yet")
)

// ours are the paths of what makes an object a member of an inventory, or a hook.
var ours = []string{"/metadata/labels/applyset.kubernetes.io~1", "/metadata/annotations/addons.cluster.x-k8s.io~1"}

// identity are the paths that identify an object, or hold what does.
var identity = []string{
	"/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace", "/metadata/generateName",
}

// checkPath returns why a path of an object must not be patched.
func checkPath(at v1alpha1.PatchSelector, path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("%s is no JSON pointer", strconv.Quote(text.Line(path, maxMessage)))
	case at.HelmRelease != "":
		return nil
	case slices.Contains(identity, path):
		return errors.New("the identity of an object cannot be patched")
	case slices.ContainsFunc(ours, func(prefix string) bool { return strings.HasPrefix(path, prefix) }):
		return errors.New("labels and annotations of this provider cannot be patched")
	}
	return nil
}
