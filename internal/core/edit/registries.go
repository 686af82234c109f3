package edit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// dockerHub is the registry of images that name none, as container runtimes take them;
// oldDockerHub is another name of it.
const (
	dockerHub    = "docker.io"
	oldDockerHub = "index.docker.io"
)

// registries are where images come from instead, the longest prefix first.
type registries []v1alpha1.ImageRegistry

func newRegistries(written []v1alpha1.ImageRegistry) registries {
	all := slices.Clone(written)
	for i := range all {
		all[i].From = withDockerHub(all[i].From)
	}
	slices.SortFunc(all, func(a, b v1alpha1.ImageRegistry) int {
		return cmp.Or(cmp.Compare(len(b.From), len(a.From)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return all
}

// image returns an image as it is named where it comes from instead; one that none of the
// prefixes is of stays as it is written.
func (r registries) image(image string) string {
	name, version := splitImage(image)
	if name == "" {
		return image
	}
	if to, ok := r.prefix(fullName(name)); ok {
		return to + version
	}
	return image
}

// registry is image for what images begin with: a slash at its end stays.
func (r registries) registry(registry string) string {
	name := strings.TrimSuffix(registry, "/")
	if to, ok := r.prefix(withDockerHub(name)); ok {
		return to + registry[len(name):]
	}
	return registry
}

// prefix puts another prefix before a name. It is false if none of the prefixes is of it.
func (r registries) prefix(name string) (string, bool) {
	for _, rule := range r {
		rest, ok := strings.CutPrefix(name, rule.From)
		if ok && (rest == "" || rest[0] == '/') {
			return rule.To + rest, true
		}
	}
	return "", false
}

// rewrite rewrites the images of a pod spec, and reports whether it changed one.
func (r registries) rewrite(ref manifest.Ref, tree map[string]any) (changed bool) {
	for field := range manifest.ImageFields(ref, tree) {
		if after := r.image(field.Image()); after != field.Image() {
			field.Set(after)
			changed = true
		}
	}
	return changed
}

// splitImage returns the name of an image, and its tag and digest with what is before them.
func splitImage(image string) (name, version string) {
	name, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name, image[len(name):]
}

// fullName returns the name of an image with its registry, as container runtimes add it.
func fullName(name string) string {
	first, _, hasPath := strings.Cut(name, "/")
	switch {
	case !hasPath:
		return dockerHub + "/library/" + name
	case !isRegistry(first):
		return dockerHub + "/" + name
	}
	name = withDockerHub(name)
	if rest, ok := strings.CutPrefix(name, dockerHub+"/"); ok && !strings.Contains(rest, "/") {
		return dockerHub + "/library/" + rest
	}
	return name
}

// isRegistry reports whether the first part of a name is a registry and not a path: it
// has what only a registry may have.
func isRegistry(first string) bool {
	return strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first
}

// withDockerHub returns a name that begins with a registry, with the first of the names
// of Docker Hub.
func withDockerHub(name string) string {
	if rest, ok := strings.CutPrefix(name, oldDockerHub); ok && (rest == "" || rest[0] == '/') {
		return dockerHub + rest
	}
	return name
}
