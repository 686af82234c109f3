//go:build !no_kustomize

package kustomize

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata: {k: v}\n"

// filesOf returns an archive: pairs of a path and a content.
func filesOf(pairs ...string) Files {
	files := Files{Content: map[string][]byte{}, Links: map[string]bool{}}
	for i := 0; i < len(pairs); i += 2 {
		files.Content[pairs[i]] = []byte(pairs[i+1])
	}
	return files
}

// building is held while the library works, which has its schema in a global variable: a
// child builds one kustomization, and these tests many.
var building sync.Mutex

func build(files Files, folder string) ([]byte, error) {
	return buildAtMost(files, folder, DefaultOutput)
}

func buildAtMost(files Files, folder string, maxBytes int64) ([]byte, error) {
	building.Lock()
	defer building.Unlock()
	return Build(files, folder, maxBytes)
}

func TestAKustomizationIsBuilt(t *testing.T) {
	t.Parallel()
	files := filesOf(
		"base/kustomization.yml", "resources: [a.yaml]\n", "base/a.yaml", configMap,
		"overlays/edge/kustomization.yaml", "namePrefix: edge-\nresources: [../../base]\n",
		"README.md", "no YAML: at all: *nowhere &",
	)
	got, err := build(files, "overlays/edge")
	if err != nil {
		t.Fatal(err)
	}
	want := "---\napiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  name: edge-a\n  namespace: default\n"
	if string(got) != want {
		t.Errorf("want\n%s\ngot\n%s", want, got)
	}
}

func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("want no request, got one for %s", r.URL)
	}))
	t.Cleanup(server.Close)
	remote := server.URL + "/a.yaml"
	tests := map[string]string{
		"a resource":                  "resources: [" + remote + "]",
		"a resource in upper case":    "resources: [HTTP" + strings.TrimPrefix(remote, "http") + "]",
		"a resource with a password":  "resources: ['" + strings.Replace(remote, "://", "://user:hunter2@", 1) + "?ref=hunter2']",
		"a repository":                "resources: [github.com/kubernetes-sigs/kustomize/examples/multibases]",
		"a repository over ssh":       "resources: ['git@example.com:a/b']",
		"a repository by a prefix":    "resources: ['git::" + remote + "']",
		"a repository on the disk":    "resources: ['file:///etc']",
		"a component":                 "components: [" + remote + "]",
		"a base":                      "bases: [" + remote + "]",
		"a CRD":                       "crds: [" + remote + "]",
		"a configuration":             "configurations: [" + remote + "]",
		"a schema":                    "openapi: {path: " + remote + "}",
		"a patch":                     "patches: [{path: " + remote + "}]",
		"a JSON patch":                "patchesJson6902: [{path: " + remote + ", target: {kind: ConfigMap, name: a, version: v1}}]",
		"a strategic merge patch":     "patchesStrategicMerge: [" + remote + "]",
		"a replacement":               "replacements: [{path: " + remote + "}]",
		"a file of a ConfigMap":       "configMapGenerator: [{name: b, files: [" + remote + "]}]",
		"a file of a Secret by a key": "secretGenerator: [{name: b, files: ['k=" + remote + "']}]",
		"the variables of a Secret":   "secretGenerator: [{name: b, envs: [" + remote + "]}]",
		"the variables of another":    "configMapGenerator: [{name: b, env: " + remote + "}]",
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := filesOf("top/kustomization.yaml", "resources: [../a]\n", "a/a.yaml", configMap,
				"a/kustomization.yaml", "resources: [a.yaml]\n")
			files.Content["a/kustomization.yaml"] = []byte(withResource(given))
			_, err := build(files, "top")
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.KustomizationInvalidReason,
				`kustomization "a/kustomization.yaml": `, "is not in the archive", "kustomize localize")
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want nothing secret in %q", err)
			}
		})
	}
}

// withResource adds the file to a kustomization that names no resources.
func withResource(kustomization string) string {
	if strings.HasPrefix(kustomization, "resources:") {
		return kustomization
	}
	return kustomization + "\nresources: [a.yaml]\n"
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      Files
		folder     string
		wantReason string
		wantText   string
	}{
		"a folder without a kustomization": {
			given:  filesOf("overlays/edge/kustomization.yaml", "resources: []", "base/Kustomization", ""),
			folder: "edge", wantText: `kustomization "edge": no kustomization.yaml there, but in "base", "overlays/edge"`,
		},
		"an archive without a kustomization": {
			given: filesOf("a.yaml", configMap), wantText: "nor anywhere in the archive",
		},
		"a file outside of the folder": {
			given:  filesOf("a/kustomization.yaml", "resources: [../b.yaml]", "b.yaml", configMap),
			folder: "a", wantText: "b.yaml",
		},
		"a file outside of the archive": {
			given: filesOf("kustomization.yaml", "resources: [../../../etc/passwd]"), wantText: "passwd",
		},
		"a file that is missing": {
			given: filesOf("kustomization.yaml", "resources: [b.yaml]"), wantText: "b.yaml",
		},
		"a generator":   {given: filesOf("kustomization.yaml", "generators: [a.yaml]"), wantText: "generators are plug-ins"},
		"a transformer": {given: filesOf("kustomization.yaml", "transformers: [a.yaml]"), wantText: "transformers are plug-ins"},
		"a validator":   {given: filesOf("kustomization.yaml", "validators: [a.yaml]"), wantText: "validators are plug-ins"},
		"a chart": {
			given: filesOf("kustomization.yaml", "helmCharts: [{name: a}]"), wantText: "name the chart as a helm source",
		},
		"a kustomization in itself": {
			given: filesOf("kustomization.yaml", "resources: [a]", "a/kustomization.yaml", "resources: [..]"), wantText: "cycle",
		},
		"a field that does not exist": {
			given: filesOf("kustomization.yaml", "resource: [a.yaml]"), wantText: "resource",
		},
		"two names of one kustomization": {
			given:    filesOf("kustomization.yaml", "resources: []", "Kustomization", "resources: []"),
			wantText: "multiple",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.wantReason == "" {
				tc.wantReason = v1alpha1.KustomizationInvalidReason
			}
			_, err := build(tc.given, tc.folder)
			faulttest.Want(t, err, fault.ClassStall, tc.wantReason, tc.wantText)
			if len(err.Error()) > 1024 || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one short line, got %q", err)
			}
		})
	}
}

func TestALinkIsNamed(t *testing.T) {
	t.Parallel()
	files := filesOf("kustomization.yaml", "resources: [a.yaml]")
	files.Links["a.yaml"] = true
	_, err := build(files, ".")
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.KustomizationInvalidReason, `"a.yaml" is a link`)
	_, err = build(Files{Links: map[string]bool{"kustomization.yaml": true}}, ".")
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.KustomizationInvalidReason, `"kustomization.yaml" is a link`)
}

func TestTheSizeOfWhatIsWrittenIsBounded(t *testing.T) {
	t.Parallel()
	_, err := buildAtMost(filesOf("kustomization.yaml", "resources: [a.yaml]\n", "a.yaml", configMap), ".", 10)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than the limit of 10 bytes")
}
