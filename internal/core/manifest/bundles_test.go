package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// bundlesDir returns the folder with collected upstream bundles, or skips.
func bundlesDir(tb testing.TB) string {
	tb.Helper()
	dir := cmp.Or(os.Getenv("BUNDLES_DIR"), "../../../../shared/bundles")
	if _, err := os.Stat(dir); err != nil {
		tb.Skip("no upstream bundles: set BUNDLES_DIR to a folder that holds them")
	}
	return dir
}

// TestObjectsOfUpstreamBundles reads every collected file and compares the
// objects with those that the decoder of kubectl finds.
func TestObjectsOfUpstreamBundles(t *testing.T) {
	t.Parallel()
	dir := bundlesDir(t)
	files := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		files++
		name, err := filepath.Rel(dir, path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareWithKubectl(t, path)
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Errorf("no file under %s", dir)
	}
}

func compareWithKubectl(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if slowdown > 1 && len(content) > 1<<20 {
		t.Skip("large files are left to runs without the race detector")
	}
	want := kubectlObjects(t, content)
	i := 0
	for object, err := range Objects(bytes.NewReader(content), filepath.Base(path), DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		if i == len(want) {
			t.Fatalf("more than %d objects: %s", len(want), object.Ref)
		}
		got := map[string]any{}
		if err := utiljson.Unmarshal(object.JSON, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want[i], got) {
			t.Errorf("%s (-want +got):\n%s", object.Place, gocmp.Diff(want[i], got))
		}
		checkForm(t, object)
		if len(object.Warnings) > 0 {
			t.Errorf("%s: a file that works has warnings: %q", object.Place, object.Warnings)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d objects, want %d", i, len(want))
	}
}

// kubectlObjects decodes content with the decoder of kubectl and removes from
// each object what Objects leaves out.
func kubectlObjects(t *testing.T, content []byte) []map[string]any {
	t.Helper()
	var objects []map[string]any
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		tree := map[string]any{}
		err := decoder.Decode(&tree)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(tree) == 0 {
			continue
		}
		u := unstructured.Unstructured{Object: tree}
		for field := range strings.FieldsSeq("creationTimestamp generation resourceVersion uid") {
			unstructured.RemoveNestedField(u.Object, "metadata", field)
		}
		unstructured.RemoveNestedField(u.Object, "status")
		if len(u.GetLabels()) == 0 {
			tree["metadata"].(map[string]any)["labels"] = map[string]any{}
		}
		if len(u.GetAnnotations()) == 0 {
			tree["metadata"].(map[string]any)["annotations"] = map[string]any{}
		}
		objects = append(objects, normal(t, tree))
	}
}

// normal returns a tree after a round trip, so that numbers have the same types.
func normal(t *testing.T, tree map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	result := map[string]any{}
	if err := utiljson.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// checkForm checks what Objects promises of the bytes of every object.
func checkForm(tb testing.TB, object Object) {
	tb.Helper()
	if !json.Valid(object.JSON) {
		tb.Errorf("%s: not JSON: %s", object.Ref, object.JSON)
	}
	if !bytes.HasPrefix(object.JSON, []byte(`{"apiVersion":`)) {
		tb.Errorf("%s: apiVersion does not come first: %.100s", object.Ref, object.JSON)
	}
	if !bytes.HasSuffix(object.JSON[:object.LabelsAt], []byte(`,"metadata":{"labels":{`)) {
		tb.Errorf("%s: LabelsAt is behind %s", object.Ref, object.JSON[:object.LabelsAt])
	}
	if !bytes.HasSuffix(object.JSON[:object.AnnotationsAt], []byte(`},"annotations":{`)) {
		tb.Errorf("%s: AnnotationsAt is behind %s", object.Ref, object.JSON[:object.AnnotationsAt])
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, object.JSON); err != nil {
		tb.Error(err)
	}
	if !bytes.Equal(compact.Bytes(), object.JSON) {
		tb.Errorf("%s: not compact", object.Ref)
	}
}

func BenchmarkObjects(b *testing.B) {
	b.Run("calico operator-crds", func(b *testing.B) {
		content, err := os.ReadFile(filepath.Join(bundlesDir(b), "calico/v3.32.1/operator-crds.yaml"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkObjects(b, content)
	})
	b.Run("a thousand ConfigMaps", func(b *testing.B) {
		content, err := io.ReadAll(&endless{size: 3 << 20, document: configMap(2 << 10)})
		if err != nil {
			b.Fatal(err)
		}
		benchmarkObjects(b, content)
	})
}

func benchmarkObjects(b *testing.B, content []byte) {
	b.Helper()
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Objects(bytes.NewReader(content), "bench.yaml", DefaultLimits()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
