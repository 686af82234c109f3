package helm

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/cli/values"
	release "helm.sh/helm/v4/pkg/release/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	releaseName = "mine"
	namespace   = "shop"
	kubernetes  = "v1.36.0"
)

// given is a chart and what it is rendered with: the folder chart, the files of the
// folder values in their order, set.json over them, and the lines of api-versions.
type given struct{ dir string }

// unpacked puts the files of a testdata file into a folder.
func unpacked(t *testing.T, path string) given {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, file := range archive.Files {
		name := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return given{dir}
}

// valueFiles returns the paths of the files with values.
func (g given) valueFiles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(g.dir, "values", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// read returns a file, or nothing if there is none.
func (g given) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

func (g given) apiVersions(t *testing.T) []string {
	t.Helper()
	return strings.Fields(g.read(t, "api-versions"))
}

// byHelm returns what "helm template --include-crds" writes for a chart, but for hooks
// that run neither at an installation nor at an upgrade.
func (g given) byHelm(t *testing.T, c *chart.Chart) string {
	t.Helper()
	options := values.Options{ValueFiles: g.valueFiles(t)}
	if set := g.read(t, "set.json"); set != "" {
		options.JSONValues = []string{set}
	}
	merged, err := options.MergeValues(nil)
	if err != nil {
		t.Fatal(err)
	}
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.Replace, install.IncludeCRDs = action.DryRunClient, true, true
	install.ReleaseName, install.Namespace = releaseName, namespace
	install.KubeVersion, install.APIVersions = version, g.apiVersions(t)
	made, err := install.RunWithContext(t.Context(), c, merged)
	if err != nil {
		t.Fatalf("helm: %v", err)
	}
	return made.(*release.Release).Manifest + appliedHooks(made.(*release.Release).Hooks)
}

// appliedHooks returns the documents of hooks that run at an installation or an upgrade.
func appliedHooks(hooks []*release.Hook) string {
	var all strings.Builder
	for _, hook := range hooks {
		if slices.ContainsFunc(hook.Events, func(e release.HookEvent) bool {
			return strings.HasSuffix(string(e), "-install") || strings.HasSuffix(string(e), "-upgrade")
		}) {
			all.WriteString("\n---\n" + hook.Manifest)
		}
	}
	return all.String()
}

// byManager returns what the manager makes of the archive of a chart.
func (g given) byManager(t *testing.T, archive []byte) string {
	t.Helper()
	var documents []helm.Document
	for _, name := range g.valueFiles(t) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, helm.Document{Name: filepath.Base(name), YAML: content})
	}
	merged, _, err := helm.Values(documents, []byte(g.read(t, "set.json")))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	_, err = helm.Render(bytes.NewReader(archive), &out, helm.Options{
		ReleaseName: releaseName, Namespace: namespace, Values: merged, KubeVersion: kubernetes,
		APIVersions: g.apiVersions(t), IncludeCRDs: true,
	}, helm.DefaultLimits())
	if err != nil {
		t.Fatalf("manager: %v", err)
	}
	return out.String()
}

// objects returns the objects of YAML documents, each as indented JSON, sorted.
func objects(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			slices.Sort(all)
			return all
		}
		var object any
		if err = errors.Join(err, yaml.Unmarshal(document, &object)); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		withoutMark(object)
		written, err := json.MarshalIndent(object, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if object != nil {
			all = append(all, string(written))
		}
	}
}

// withoutMark removes the mark of a hook, which is no part of what is applied.
func withoutMark(object any) {
	root, _ := object.(map[string]any)
	metadata, _ := root["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	delete(annotations, manifest.HookAnnotation)
}

// wantSame compares objects in any order.
func wantSame(t *testing.T, byHelm, byManager string) {
	t.Helper()
	want := objects(t, byHelm)
	if len(want) == 0 {
		t.Fatal("want Helm to make objects")
	}
	if diff := cmp.Diff(want, objects(t, byManager)); diff != "" {
		t.Errorf("(-helm +manager):\n%s", diff)
	}
}

// TestChartsRenderAsWithHelm has a chart for each thing that charts can do.
func TestChartsRenderAsWithHelm(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 12 {
		t.Fatalf("want the charts of testdata, got %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			g := unpacked(t, path)
			if strings.HasPrefix(filepath.Base(path), "nested-archives") {
				packDependencies(t, filepath.Join(g.dir, "chart"))
			}
			t.Run("packed by helm package", func(t *testing.T) {
				t.Parallel()
				wantSame(t, g.byHelm(t, loadFolder(t, g.dir+"/chart")), g.byManager(t, saved(t, g.dir+"/chart")))
			})
			t.Run("packed by tar", func(t *testing.T) {
				t.Parallel()
				archive := tarred(t, g.dir+"/chart")
				loaded, err := loader.LoadArchive(bytes.NewReader(archive))
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, g.byHelm(t, loaded), g.byManager(t, archive))
			})
		})
	}
}

func TestTheLoggingOperatorRendersAsWithHelm(t *testing.T) {
	t.Parallel()
	path, err := testenv.CatalogueCopy("logging-operator/6.7.0/chart/logging-operator-6.7.0.tgz",
		"fb32976725875105076ea75783694d7afc49b81d6c07d06f33963393a298105a")
	if err != nil {
		t.Skip(err)
	}
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]string{
		"by its defaults": `{}`,
		"with a Logging":  `{"logging":{"enabled":true},"testReceiver":{"enabled":true},"replicaCount":2,"podLabels":{"a":"b"},"monitoring":{"serviceMonitor":{"enabled":true}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := given{t.TempDir()}
			if err := os.WriteFile(g.dir+"/set.json", []byte(set), 0o600); err != nil {
				t.Fatal(err)
			}
			loaded, err := loader.LoadArchive(bytes.NewReader(archive))
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, g.byHelm(t, loaded), g.byManager(t, archive))
		})
	}
}

func loadFolder(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// saved returns the archive that "helm package" makes of a folder.
func saved(t *testing.T, dir string) []byte {
	t.Helper()
	path, err := chartutil.Save(loadFolder(t, dir), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// packDependencies puts archives in the place of the folders in charts, those of
// dependencies of dependencies first.
func packDependencies(t *testing.T, dir string) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(dir, "charts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		packDependencies(t, folder)
		if _, err := chartutil.Save(loadFolder(t, folder), filepath.Dir(folder)); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
}

// tarred returns an archive of all files of a folder.
func tarred(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, filepath.Dir(dir)+"/"))
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(content))}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err = errors.Join(err, w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
