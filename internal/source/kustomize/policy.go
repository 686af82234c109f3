//go:build !no_kustomize

package kustomize

import (
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// remotePrefixes begin, in lower case, what the library fetches instead of reading a
// file: with git, or over HTTP. A user in front of a host does so too.
var remotePrefixes = []string{
	"http:", "https:", "ssh:", "file:", "git:", "git::", "github.com/", "github.com:",
}

var userPrefix = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// isRemote reports whether the library would look for a path outside of the file system.
func isRemote(name string) bool {
	lower := strings.ToLower(name)
	return userPrefix.MatchString(name) ||
		slices.ContainsFunc(remotePrefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}

// withoutUser returns the part of a remote name that holds no password and no token.
func withoutUser(name string) string {
	name, _, _ = strings.Cut(name, "?")
	scheme, rest, isURL := strings.Cut(name, "://")
	if !isURL {
		return name
	}
	host, below, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	return scheme + "://" + host + "/" + below
}

// forbiddenField returns why a field of the kustomization is refused, or nothing.
func forbiddenField(k *types.Kustomization) string {
	switch {
	case len(k.Generators) > 0:
		return "generators are plug-ins, which are not run: use configMapGenerator and secretGenerator"
	case len(k.Transformers) > 0:
		return "transformers are plug-ins, which are not run: use the fields of the kustomization, such as patches"
	case len(k.Validators) > 0:
		return "validators are plug-ins, which are not run: remove them"
	case len(k.HelmCharts) > 0, len(k.HelmChartInflationGenerator) > 0, k.HelmGlobals != nil:
		return "Helm charts are not rendered in a kustomization: name the chart as a helm source of the phase"
	}
	return ""
}

// pathsOf returns all that the library would read or fetch because of a kustomization,
// deprecated fields included.
//
//nolint:staticcheck // the library still reads what is deprecated
func pathsOf(k *types.Kustomization) []string {
	paths := slices.Concat(k.Resources, k.Components, k.Bases, k.Crds, k.Configurations)
	paths = append(paths, k.OpenAPI["path"])
	for _, patch := range slices.Concat(k.Patches, k.PatchesJson6902) {
		paths = append(paths, patch.Path)
	}
	for _, patch := range k.PatchesStrategicMerge {
		paths = append(paths, string(patch))
	}
	for _, replacement := range k.Replacements {
		paths = append(paths, replacement.Path)
	}
	for _, generator := range k.ConfigMapGenerator {
		paths = append(paths, generatorPaths(generator.GeneratorArgs)...)
	}
	for _, generator := range k.SecretGenerator {
		paths = append(paths, generatorPaths(generator.GeneratorArgs)...)
	}
	return paths
}

// generatorPaths returns the files of a generator: a key and a = may be in front.
func generatorPaths(args types.GeneratorArgs) []string {
	paths := append(slices.Clone(args.EnvSources), args.EnvSource)
	for _, file := range args.FileSources {
		paths = append(paths, file)
		if _, name, ok := strings.Cut(file, "="); ok {
			paths = append(paths, name)
		}
	}
	return paths
}
