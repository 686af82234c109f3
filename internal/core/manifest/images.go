package manifest

import (
	"iter"
	"slices"
)

// podSpecs holds, for each kind with containers, the path to the pod spec.
var podSpecs = map[[2]string][]string{
	{"", "Pod"}:                   {"spec"},
	{"", "PodTemplate"}:           {"template", "spec"},
	{"", "ReplicationController"}: {"spec", "template", "spec"},
	{"apps", "ReplicaSet"}:        {"spec", "template", "spec"},
	{"apps", "Deployment"}:        {"spec", "template", "spec"},
	{"apps", "DaemonSet"}:         {"spec", "template", "spec"},
	{"apps", "StatefulSet"}:       {"spec", "template", "spec"},
	{"batch", "Job"}:              {"spec", "template", "spec"},
	{"batch", "CronJob"}:          {"spec", "jobTemplate", "spec", "template", "spec"},
}

// imageFields holds, for each list of a pod spec whose items name an image, the path to
// the mapping that has it and the field in it.
var imageFields = []struct {
	list, within, field string
}{
	{list: "initContainers", field: "image"},
	{list: "containers", field: "image"},
	{list: "ephemeralContainers", field: "image"},
	{list: "volumes", within: "image", field: "reference"},
}

// ImageField is a field of a pod spec that names an image.
type ImageField struct {
	of   map[string]any
	name string
}

// Image returns the image that the field names; empty for none.
func (f ImageField) Image() string { return textOf(f.of, f.name) }

// Set has the field name another image.
func (f ImageField) Set(image string) { f.of[f.name] = image }

// ImageFields yields the fields of the containers and the image volumes of an object with
// a pod spec, whether they name an image or not. Other objects have none.
func ImageFields(ref Ref, tree map[string]any) iter.Seq[ImageField] {
	return func(yield func(ImageField) bool) {
		path, ok := podSpecs[[2]string{ref.Group, ref.Kind}]
		if !ok {
			return
		}
		spec := tree
		for _, field := range path {
			spec, _ = spec[field].(map[string]any)
		}
		for _, fields := range imageFields {
			items, _ := spec[fields.list].([]any)
			for _, item := range items {
				of, _ := item.(map[string]any)
				if fields.within != "" {
					of, _ = of[fields.within].(map[string]any)
				}
				if of != nil && !yield(ImageField{of, fields.field}) {
					return
				}
			}
		}
	}
}

// imagesOf returns the images that a workload names, sorted and unique.
func imagesOf(ref Ref, tree map[string]any) []string {
	var images []string
	for field := range ImageFields(ref, tree) {
		if image := field.Image(); image != "" {
			images = append(images, image)
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}
