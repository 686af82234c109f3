package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/kustomize"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const kustomizations = "testdata/kustomize"

// built are the folders whose kustomizations are compared with what kubectl makes of them.
var built = []string{"patches", "generators", "components/edge", "namespace/overlay", "images"}

// kustomizeFiles returns the files below a folder of the test data for a namespace.
func (s *scenario) kustomizeFiles(folder string) map[string]string {
	s.t.Helper()
	files := map[string]string{}
	root := os.DirFS(filepath.Join(kustomizations, folder))
	s.Expect(fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		files[name] = strings.ReplaceAll(string(content), "NAMESPACE", s.namespace)
		return err
	})).To(Succeed())
	return files
}

// onDisk writes files into a folder.
func (s *scenario) onDisk(files map[string]string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		s.Expect(os.MkdirAll(filepath.Dir(file), 0o750)).To(Succeed())
		s.Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	}
	return dir
}

// objectsOf returns the objects of a stream by what they are.
func (s *scenario) objectsOf(stream string) map[string]string {
	s.t.Helper()
	objects := map[string]string{}
	for object, err := range manifest.Objects(strings.NewReader(stream), "stream", manifest.DefaultLimits()) {
		s.Expect(err).NotTo(HaveOccurred())
		objects[object.Ref.String()] = string(object.JSON)
	}
	return objects
}

// TestAKustomizationIsWhatKubectlMakesOfIt builds each kustomization as a source and
// with "kubectl kustomize", and has "kubectl diff -k" find nothing in what was delivered.
func TestAKustomizationIsWhatKubectlMakesOfIt(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	w := testenv.SharedWorkload(t)
	files := s.kustomizeFiles(".")
	dir := s.onDisk(files)
	content := map[string][]byte{}
	for name, text := range files {
		content[name] = []byte(text)
	}
	packed := s.tarball(files)
	sources := []v1alpha1.Source{inline("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + s.namespace + "}\n")}
	for _, folder := range built {
		want, err := w.Kubectl(t.Context(), "", "kustomize", filepath.Join(dir, folder))
		s.Expect(err).NotTo(HaveOccurred())
		got, err := kustomize.Build(kustomize.Files{Content: content}, folder, kustomize.DefaultOutput)
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(s.objectsOf(string(got))).To(Equal(s.objectsOf(want)), folder)
		source := s.web.publish("all.tar.gz", packed)
		source.HTTPS.Kustomize = &v1alpha1.Kustomize{Path: folder}
		sources = append(sources, source)
	}
	s.bundle("built", release("1.0.0", phase("all", sources...)))
	s.set("built")
	s.cluster("brest", "built", w)
	s.Eventually(s.ready("built-brest")).Should(Equal(isReady))
	for _, folder := range built {
		diff, err := w.Kubectl(t.Context(), "", "diff", "--server-side", "--force-conflicts", "-k", filepath.Join(dir, folder))
		s.Expect(err).NotTo(HaveOccurred(), "%s: %s", folder, diff)
	}
	s.Expect(s.web.downloads()).To(HaveKeyWithValue("/all.tar.gz", 1))
}

// TestAFluxArtifactWithAKustomizationIsBuilt delivers an artifact that holds a
// kustomization.yaml, which is no object, and nothing that names it.
func TestAFluxArtifactWithAKustomizationIsBuilt(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	w := testenv.SharedWorkload(t)
	r := newRegistry(s)
	files := s.kustomizeFiles("flux-artifact")
	edge := map[string]string{"overlays/edge/kustomization.yaml": "namePrefix: edge-\nresources: [../../base]\n"}
	for name, content := range files {
		edge["base/"+name] = content
	}
	r.push("flux/plain", "v1", layer{fluxLayer, "", s.tarball(files)})
	r.push("flux/edge", "v1", layer{fluxLayer, "", s.tarball(edge)})
	s.bundle("flux", release("1.0.0", phase("all", r.source("flux/plain", tagged("v1")),
		r.source("flux/edge", func(src *v1alpha1.OCISource) {
			src.Tag, src.Kustomize = "v1", &v1alpha1.Kustomize{Path: "overlays/edge"}
		}))))
	s.set("flux")
	s.cluster("lorient", "flux", w)
	s.Eventually(s.ready("flux-lorient")).Should(Equal(isReady))
	for _, name := range []string{"from-flux", "edge-from-flux"} {
		_, err := s.live(w, "v1", "ConfigMap", "default", name)
		s.Expect(err).NotTo(HaveOccurred())
	}
}
