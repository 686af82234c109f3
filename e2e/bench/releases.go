package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var (
	//go:embed testdata/logging-operator-6.7.0.yaml
	loggingOperator []byte
	//go:embed testdata/logging-resources.yaml
	loggingResources []byte
)

// candidate is a release that BUNDLES can name.
type candidate struct {
	name string
	// share of the rounds that it takes part in: what is large takes long.
	share float64
	load  func(ctx context.Context, dir string) (*Release, error)
	// before is the release from which an upgrade is measured, if one is.
	before func(ctx context.Context, dir string) (*Release, error)
}

// goalRelease is what the goals are about.
const goalRelease = "calico-3.32.1"

func candidates() []candidate {
	return []candidate{
		{name: goalRelease, share: 1, load: calico("3.32.1"), before: calico("3.31.7")},
		{name: "calico-3.29.7", share: 0.4, load: calico("3.29.7")},
		{name: "logging-operator-6.7.0", share: 0.4, load: logging},
		{name: "synthetic-1.0.0", share: 0.2, load: func(_ context.Context, dir string) (*Release, error) { return writeSynthetic(dir) }},
	}
}

// calico loads a release of the catalogue, as published, phase by phase.
func calico(version string) func(context.Context, string) (*Release, error) {
	return func(ctx context.Context, _ string) (*Release, error) {
		return fromCatalogue(ctx, "calico", version)
	}
}

// fromCatalogue takes what the catalogue has by URL; a phase that has none is left out.
func fromCatalogue(ctx context.Context, bundle, version string) (*Release, error) {
	object, err := testenv.Catalogue(bundle)
	if err != nil {
		return nil, err
	}
	for _, release := range object.Spec.Releases {
		if release.Version != version {
			continue
		}
		r := &Release{Bundle: bundle, Version: version}
		for _, phase := range release.Phases {
			p := Phase{Name: phase.Name}
			for _, source := range phase.Sources {
				if source.HTTPS == nil {
					continue
				}
				file, err := testenv.CatalogueFile(ctx, source.HTTPS.URL, string(source.HTTPS.Digest))
				if err != nil {
					return nil, err
				}
				p.Files = append(p.Files, file)
			}
			if len(p.Files) > 0 {
				r.Phases = append(r.Phases, p)
			}
		}
		return r, nil
	}
	return nil, fmt.Errorf("the catalogue has no %s %s", bundle, version)
}

// logging is upstream's CRDs, and the operator as its chart is rendered.
func logging(ctx context.Context, dir string) (*Release, error) {
	r, err := fromCatalogue(ctx, "logging-operator", "6.7.0")
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"operator": loggingOperator, "resources": loggingResources} {
		if err := os.WriteFile(filepath.Join(dir, "logging-"+name+".yaml"), content, 0o600); err != nil {
			return nil, err
		}
	}
	r.Phases = append(r.Phases,
		Phase{Name: "operator", Files: []string{filepath.Join(dir, "logging-operator.yaml")}},
		Phase{Name: "resources", Files: []string{filepath.Join(dir, "logging-resources.yaml")}})
	return r, nil
}
