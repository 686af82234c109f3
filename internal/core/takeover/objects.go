package takeover

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// sourcesEach is how many sources a phase may have (api/v1alpha1.Phase).
const sourcesEach = 32

// Object is one object as it is delivered.
type Object struct {
	plan.Object

	// JSON is the object as it was published.
	JSON []byte
}

// phasesOf returns one phase with all resources, or several if there are too many for one.
// A phase waits for the one before, and Cluster API for nothing: what a later resource
// brings may be what an earlier one needs to become ready.
func phasesOf(resources []Resource) []v1alpha1.Phase {
	var phases []v1alpha1.Phase
	for some := range slices.Chunk(resources, sourcesEach) {
		phase := v1alpha1.Phase{Name: "resources"}
		if len(phases) > 0 {
			phase.Name = fmt.Sprintf("resources-%d", len(phases)+1)
		}
		for _, r := range some {
			phase.Sources = append(phase.Sources, sourceOf(r))
		}
		phases = append(phases, phase)
	}
	return phases
}

// sourceOf returns a resource as a source: all its keys, as a ClusterResourceSet reads
// them, so that a key that is added is delivered, too.
func sourceOf(r Resource) v1alpha1.Source {
	if r.Kind == string(addonsv1.SecretClusterResourceSetResourceKind) {
		return v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: r.Name}}
	}
	source := &v1alpha1.ConfigMapSource{Name: r.Name}
	if r.Binary {
		source.Keys = keysOf(r)
	}
	return v1alpha1.Source{ConfigMap: source}
}

// keysOf returns the keys of a resource in the order in which they are applied.
func keysOf(r Resource) []string { return slices.Sorted(maps.Keys(r.Values)) }

// objectsOf returns the objects of all resources in the order of their plan. An error is
// that of a Bundle with them.
func objectsOf(phases []v1alpha1.Phase, resources []Resource, limits manifest.Limits) ([]Object, error) {
	files := make(map[string][]byte)
	inputs := make([]plan.Input, len(phases))
	for i := range phases {
		inputs[i].Name = phases[i].Name
	}
	for i, r := range resources {
		blobs, err := blobsOf(r, limits, files)
		if err != nil {
			return nil, err
		}
		input := &inputs[i/sourcesEach]
		input.Blobs = append(input.Blobs, blobs...)
	}
	made, err := plan.New(inputs, limits)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, phase := range made.Phases {
		for _, step := range phase.Steps {
			for _, o := range step.Objects {
				objects = append(objects, Object{Object: o, JSON: files[o.Blob][o.Offset : o.Offset+o.Length]})
			}
		}
	}
	return objects, nil
}

// blobsOf indexes the values of a resource, and puts their objects into files.
func blobsOf(r Resource, limits manifest.Limits, files map[string][]byte) ([]plan.Blob, error) {
	var blobs []plan.Blob
	for _, key := range keysOf(r) {
		var file bytes.Buffer
		name := r.String() + " key " + key
		index, err := manifest.Build(&file, manifest.Objects(bytes.NewReader(r.Values[key]), name, limits))
		if err != nil {
			return nil, err
		}
		files[name] = file.Bytes()
		blobs = append(blobs, plan.Blob{Digest: name, Entries: index.Entries})
	}
	return blobs, nil
}
