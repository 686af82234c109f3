package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// The releases of the catalogue that a run delivers.
const (
	bundleName = "calico"
	earlier    = "3.31.7"
	newest     = "3.32.1"
)

// release is one that a run delivers, with the content of its files.
type release struct {
	version string
	files   [][]byte
}

// chooseBundle takes the Bundle from the catalogue and serves its files.
func (w *world) chooseBundle(ctx context.Context) (err error) {
	if w.bundle, err = testenv.Catalogue(bundleName); err != nil {
		return err
	}
	w.bundle.Namespace = namespace
	w.bundle.Spec.Releases = slices.DeleteFunc(w.bundle.Spec.Releases, func(r v1alpha1.Release) bool {
		return r.Version != earlier && r.Version != newest
	})
	if len(w.bundle.Spec.Releases) != 2 {
		return fmt.Errorf("the catalogue lacks %s or %s of %s", earlier, newest, bundleName)
	}
	if w.files, err = serveFiles(); err != nil {
		return err
	}
	for i := range w.bundle.Spec.Releases {
		if err := w.serveRelease(ctx, &w.bundle.Spec.Releases[i]); err != nil {
			return err
		}
	}
	return nil
}

// serveRelease makes the sources of the release lead to the web server of the run.
func (w *world) serveRelease(ctx context.Context, r *v1alpha1.Release) error {
	// The simulator has one version of Kubernetes, which need not be one of Calico's tests.
	r.Kubernetes = ""
	served, total := release{version: r.Version}, 0
	for i := range r.Phases {
		phase := &r.Phases[i]
		// No operator runs that could report. What counts is that all is applied and available.
		phase.ReadyWhen = nil
		for _, source := range phase.Sources {
			file, err := testenv.CatalogueFile(ctx, source.HTTPS.URL, string(source.HTTPS.Digest))
			if err != nil {
				return err
			}
			content, err := os.ReadFile(file) //nolint:gosec // testenv has found it.
			if err != nil {
				return err
			}
			source.HTTPS.URL = w.files.add(string(source.HTTPS.Digest), content)
			served.files = append(served.files, content)
			total += len(content)
		}
	}
	w.releases = append(w.releases, served)
	w.detail("Calico v%s as published, checked by sha256: %d files, %d bytes", r.Version, len(served.files), total)
	return nil
}
