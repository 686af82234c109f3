package manifest

import "slices"

// podTemplates holds, for each kind with containers, the path to the pod spec.
var podTemplates = map[[2]string][]string{
	{"", "Pod"}:                   {"spec"},
	{"", "ReplicationController"}: {"spec", "template", "spec"},
	{"apps", "ReplicaSet"}:        {"spec", "template", "spec"},
	{"apps", "Deployment"}:        {"spec", "template", "spec"},
	{"apps", "DaemonSet"}:         {"spec", "template", "spec"},
	{"apps", "StatefulSet"}:       {"spec", "template", "spec"},
	{"batch", "Job"}:              {"spec", "template", "spec"},
	{"batch", "CronJob"}:          {"spec", "jobTemplate", "spec", "template", "spec"},
}

// imagesOf returns the images of the containers of a workload, sorted and unique.
func imagesOf(ref Ref, tree map[string]any) []string {
	path, ok := podTemplates[[2]string{ref.Group, ref.Kind}]
	if !ok {
		return nil
	}
	spec := tree
	for _, field := range path {
		spec, _ = spec[field].(map[string]any)
	}
	var images []string
	for _, field := range []string{"initContainers", "containers", "ephemeralContainers"} {
		containers, _ := spec[field].([]any)
		for _, c := range containers {
			container, _ := c.(map[string]any)
			if image := textOf(container, "image"); image != "" {
				images = append(images, image)
			}
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}
