//go:build !no_kustomize

package kustomize

import (
	"archive/tar"
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
)

func TestMain(m *testing.M) {
	child.Main(BuildTask)
	os.Exit(m.Run())
}

// tarOf returns the files as an archive.
func tarOf(t *testing.T, files Files) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files.Content)) {
		content := files.Content[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// apart builds the kustomization of a folder in a child process.
func apart(t *testing.T, limit time.Duration, files Files, folder string) (string, error) {
	t.Helper()
	cfg := child.DefaultConfig()
	cfg.Memory, cfg.Processor, cfg.Time = 256<<20, limit, 5*time.Minute
	children, err := child.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = BuildTask.Run(t.Context(), children, child.Call[Request]{
		In:   Request{Folder: folder, Format: archive.Tar, Limits: archive.DefaultLimits()},
		Body: bytes.NewReader(tarOf(t, files)), Output: &out,
	})
	return out.String(), err
}

// enough is never waited for.
const enough = time.Minute

//nolint:paralleltest // the environment is of the process
func TestTheEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("SECRET_OF_THE_MANAGER", "hunter2")
	files := filesOf("kustomization.yaml", "configMapGenerator: [{name: a, envs: [e.env]}]\n", "e.env", "SECRET_OF_THE_MANAGER\n")
	got, err := apart(t, enough, files, ".")
	if err != nil || strings.Contains(got, "hunter2") || !strings.Contains(got, "SECRET_OF_THE_MANAGER") {
		t.Errorf("want the key without a value, got %s, %v", got, err)
	}
}

// A schema decides how patches are merged: with that of another archive a container
// would be replaced instead of changed.
func TestTheSchemaOfOneArchiveIsNotThatOfTheNext(t *testing.T) {
	t.Parallel()
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n" +
		"      containers: [{name: main, image: example.org/main}]\n"
	const patch = "resources: [a.yaml]\npatches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n" +
		"    metadata: {name: a}\n    spec: {template: {spec: {containers: [{name: main, args: [-v]}]}}}\n"
	own := `{"definitions": {"io.k8s.api.apps.v1.Deployment": {"properties": {"spec": {}},
		"x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]}}}`
	with := filesOf("kustomization.yaml", patch+"openapi: {path: s.json}\n", "a.yaml", deployment, "s.json", own)
	without := filesOf("kustomization.yaml", patch, "a.yaml", deployment)
	replaced, err := apart(t, enough, with, ".")
	if err != nil || strings.Contains(replaced, "image: example.org/main") {
		t.Errorf("want the container to be replaced by its own schema, got %s, %v", replaced, err)
	}
	got, err := apart(t, enough, without, ".")
	if err != nil || !strings.Contains(got, "image: example.org/main") {
		t.Errorf("want the container to be changed and not replaced, got %s, %v", got, err)
	}
}

// laughs is a document whose aliases expand to 9 to the power of n.
func laughs(n int) string {
	document := "kind: A\nmetadata: {name: a}\na: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range n {
		before, name := string(rune('a'+i)), string(rune('b'+i))
		document += name + ": &" + name + " [" + strings.Repeat("*"+before+",", 9) + "]\n"
	}
	return document
}

// doubling is a kustomization that names the next one twice, n levels deep.
func doubling(n int) Files {
	files := filesOf()
	level := func(i int) string { return "l" + strings.Repeat("i", i) }
	for i := range n {
		for _, side := range []string{"a", "b"} {
			files.Content[level(i)+side+"/kustomization.yaml"] = []byte("namePrefix: " + side +
				"-\nresources: [../" + level(i+1) + "a, ../" + level(i+1) + "b]\n")
		}
	}
	for _, side := range []string{"a", "b"} {
		files.Content[level(n)+side+"/kustomization.yaml"] = []byte("namePrefix: " + side + "-\nresources: [a.yaml]\n")
		files.Content[level(n)+side+"/a.yaml"] = []byte(configMap)
	}
	files.Content["kustomization.yaml"] = []byte("resources: [" + level(0) + "a]\n")
	return files
}

// hoarding is a kustomization that has a file of a megabyte in very many ConfigMaps.
func hoarding(maps int) Files {
	files := filesOf("a.txt", strings.Repeat("x", 1<<20))
	files.Content["kustomization.yaml"] = []byte("configMapGenerator:\n")
	for i := range maps {
		name := strings.Repeat("a", i+1)
		files.Content["kustomization.yaml"] = append(files.Content["kustomization.yaml"], "- {name: "+name+", files: [a.txt]}\n"...)
	}
	return files
}

// TestAKustomizationHarmsOnlyItsChild builds what ended the manager, or never ended, before
// kustomizations were built in a child process.
func TestAKustomizationHarmsOnlyItsChild(t *testing.T) {
	t.Parallel()
	const (
		crash = v1alpha1.KustomizationInvalidReason
		limit = v1alpha1.LimitExceededReason
		patch = "resources: [a.yaml]\npatches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: &x {k: *x}}'\n"
		loop  = "kind: A\nmetadata: {name: a}\nspec: &x {a: *x}\n"
	)
	for name, tc := range map[string]struct {
		given  Files
		time   time.Duration
		reason string
	}{
		"an alias in itself":                   {filesOf("kustomization.yaml", "resources: [a.yaml]", "a.yaml", loop), enough, crash},
		"an alias in itself in a patch":        {filesOf("kustomization.yaml", patch, "a.yaml", configMap), enough, crash},
		"aliases that expand to billions":      {filesOf("kustomization.yaml", "resources: [a.yaml]", "a.yaml", laughs(9)), time.Second, limit},
		"bases that name the next one twice":   {doubling(30), time.Second, limit},
		"a large file in very many ConfigMaps": {hoarding(200), time.Second, limit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := apart(t, tc.time, tc.given, ".")
			faulttest.Want(t, err, fault.ClassStall, tc.reason, "kustomization")
		})
	}
}

func TestAnArchiveThatIsTooLargeForATreeIsRefused(t *testing.T) {
	t.Parallel()
	large := filesOf("kustomization.yaml", "resources: []", "large.bin", strings.Repeat("x", maxTreeBytes))
	_, err := apart(t, enough, large, ".")
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "67108864")
}
