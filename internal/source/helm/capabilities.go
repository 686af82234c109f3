//go:build !no_helm

package helm

import (
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// capabilitiesOf returns .Capabilities for a version of Kubernetes.
func capabilitiesOf(kubernetes string) (*common.Capabilities, error) {
	version, err := minorVersion(kubernetes)
	if err != nil {
		return nil, err
	}
	parsed, err := common.ParseKubeVersion(version)
	if err != nil {
		return nil, fault.Stall(v1alpha1.ConstraintInvalidReason, err)
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *parsed
	capabilities.APIVersions = builtInVersions()
	return capabilities, nil
}

// builtInVersions returns Helm's default set without previews, which clusters
// need not serve and most of which are gone, and with the kinds, which Helm adds
// when it asks a cluster.
func builtInVersions() common.VersionSet {
	var set common.VersionSet
	for _, version := range common.DefaultVersionSet {
		gv, err := schema.ParseGroupVersion(version)
		if err != nil || strings.Contains(gv.Version, "alpha") || strings.Contains(gv.Version, "beta") {
			continue
		}
		set = append(set, version)
		for _, kind := range slices.Sorted(maps.Keys(scheme.Scheme.KnownTypes(gv))) {
			if _, ok := manifest.BuiltIn(gv.Group, gv.Version, kind); ok {
				set = append(set, version+"/"+kind)
			}
		}
	}
	return set
}

// definition holds the fields of a CustomResourceDefinition that name its kinds.
type definition struct {
	Kind string `json:"kind"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind string `json:"kind"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

// definedVersions returns the groups, versions and kinds of the files in the crds
// folders of the chart and of its dependencies.
func definedVersions(c *chartv2.Chart) (common.VersionSet, error) {
	var set common.VersionSet
	for _, crd := range c.CRDObjects() {
		for _, document := range splitDocuments(string(crd.File.Data)) {
			var d definition
			if err := yaml.Unmarshal([]byte(document), &d); err != nil {
				return nil, invalid("%s: not YAML, or no CustomResourceDefinition", crd.Filename)
			}
			for _, v := range d.Spec.Versions {
				if d.Kind == "CustomResourceDefinition" && v.Served {
					gv := d.Spec.Group + "/" + v.Name
					set = append(set, gv, gv+"/"+d.Spec.Names.Kind)
				}
			}
		}
	}
	return set, nil
}

// splitDocuments returns the documents of a file as Helm splits them.
func splitDocuments(file string) []string {
	split := releaseutil.SplitManifests(file)
	keys := slices.Collect(maps.Keys(split))
	slices.SortFunc(keys, compareSplitKeys)
	documents := make([]string, 0, len(keys))
	for _, key := range keys {
		documents = append(documents, split[key])
	}
	return documents
}

// compareSplitKeys orders the keys of releaseutil.SplitManifests, which end with a
// number.
func compareSplitKeys(a, b string) int {
	switch keys := (releaseutil.BySplitManifestsOrder{a, b}); {
	case keys.Less(0, 1):
		return -1
	case keys.Less(1, 0):
		return 1
	}
	return 0
}
