package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// The release that the demo delivers.
const (
	catalogueName    = "calico"
	catalogueVersion = "3.32.1"
)

// bundle is a Bundle with one release and the files that its sources name.
type bundle struct {
	object *v1alpha1.Bundle
	// files are the contents by the last element of the URL.
	files map[string][]byte
	// origin is a sentence: what the bundle is and where its files are from.
	origin string
}

// release is the only one.
func (b *bundle) release() *v1alpha1.Release { return &b.object.Spec.Releases[0] }

// sources are all of the release, in order.
func (b *bundle) sources() []*v1alpha1.HTTPSSource {
	var all []*v1alpha1.HTTPSSource
	for _, phase := range b.release().Phases {
		for _, source := range phase.Sources {
			if source.HTTPS != nil {
				all = append(all, source.HTTPS)
			}
		}
	}
	return all
}

// serveFrom makes the URLs lead to a server that has the files at its root. The
// digests stay.
func (b *bundle) serveFrom(url string) {
	for _, source := range b.sources() {
		source.URL = url + "/" + path.Base(source.URL)
	}
}

// size of all files, in bytes.
func (b *bundle) size() int {
	total := 0
	for _, content := range b.files {
		total += len(content)
	}
	return total
}

// awaited is the object that an operator reports with, which the last phase
// waits for. It is nil if it waits for none.
func (b *bundle) awaited() *v1alpha1.ObjectReference {
	phases := b.release().Phases
	conditions := phases[len(phases)-1].ReadyWhen
	if len(conditions) == 0 {
		return nil
	}
	return &conditions[0].Object
}

// chooseBundle takes Calico from the catalogue if its files are to be had, else
// what the generator makes, and serves the files.
func (w *world) chooseBundle(ctx context.Context) (err error) {
	w.bundle, err = fromCatalogue(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		w.detail("Calico v%s is not to be had here:", catalogueVersion)
		for line := range strings.Lines(err.Error()) {
			w.detail("  %s", strings.TrimSpace(line))
		}
		w.bundle = generate()
	}
	if w.files, err = serveFiles(w.bundle.files); err != nil {
		return err
	}
	w.bundle.serveFrom(w.files.url())
	w.detail("%s", w.bundle.origin)
	w.detail("%d files with %s, from a web server of the demo that counts downloads",
		len(w.bundle.files), bytesText(int64(w.bundle.size())))
	return nil
}

func fromCatalogue(ctx context.Context) (*bundle, error) {
	object, err := testenv.Catalogue(catalogueName)
	if err != nil {
		return nil, err
	}
	object.Namespace = namespace
	if err := keepRelease(object, catalogueVersion); err != nil {
		return nil, err
	}
	b := &bundle{object: object, files: map[string][]byte{}}
	folder := ""
	for _, source := range b.sources() {
		file, err := testenv.CatalogueFile(ctx, source.URL, string(source.Digest))
		if err != nil {
			return nil, err
		}
		if b.files[path.Base(source.URL)], err = os.ReadFile(file); err != nil {
			return nil, err
		}
		folder = path.Dir(file)
	}
	b.origin = fmt.Sprintf("Calico v%s as published, checked by sha256, from %s", catalogueVersion, folder)
	return b, nil
}

// keepRelease removes all releases but one, so that nothing else is fetched.
func keepRelease(object *v1alpha1.Bundle, version string) error {
	for _, release := range object.Spec.Releases {
		if release.Version == version {
			object.Spec.Releases = []v1alpha1.Release{release}
			return nil
		}
	}
	return fmt.Errorf("bundle %s has no release %s", object.Name, version)
}

// newSet returns the set that gives the Bundle to the Clusters with cni=calico.
func newSet(b *bundle) *v1alpha1.ClusterBundleSet {
	return &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: b.object.Name},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{labelKey: labelValue}},
			Bundle:          v1alpha1.BundleSelector{Name: b.object.Name},
		},
	}
}
