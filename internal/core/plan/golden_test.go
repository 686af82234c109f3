package plan

import (
	"cmp"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

var update = flag.Bool("update", false, "write the golden plans instead of comparing them")

// blob returns the index of a stream of documents.
func blob(t *testing.T, source string, r io.Reader) Blob {
	t.Helper()
	index, err := manifest.Build(io.Discard, manifest.Objects(r, source, manifest.DefaultLimits()))
	if err != nil {
		t.Fatal(err)
	}
	return Blob{Digest: "digest of " + source, Entries: index.Entries}
}

// TestGolden compares the plans of upstream releases with those in testdata, so
// that a new release shows in review what it changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	dir := cmp.Or(os.Getenv("BUNDLES_DIR"), "../../../../shared/bundles")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no upstream bundles: set BUNDLES_DIR to a folder that holds them")
	}
	split := []string{"operator-crds.yaml", "tigera-operator.yaml", "custom-resources.yaml"}
	tests := map[string]struct {
		givenFolder string
		// givenPhases are the files of each phase, as patterns.
		givenPhases []string
	}{
		"calico-v3.29.7":         {"calico/v3.29.7", split[1:]},
		"calico-v3.30.7":         {"calico/v3.30.7", split},
		"calico-v3.31.7":         {"calico/v3.31.7", split},
		"calico-v3.32.1":         {"calico/v3.32.1", split},
		"logging-operator-6.7.0": {"logging-operator/6.7.0", []string{"crds/*.yaml", "operator.yaml"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var given []Input
			for _, pattern := range test.givenPhases {
				given = append(given, fromFiles(t, filepath.Join(dir, test.givenFolder, pattern)))
			}
			plan, err := New(given, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			checkComplete(t, given, plan)
			compareGolden(t, filepath.Join("testdata", name+".txt"), strings.Join(lines(plan), "\n")+"\n")
		})
	}
}

// fromFiles returns a phase with the files that a pattern names.
func fromFiles(t *testing.T, pattern string) Input {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	input := Input{Name: strings.TrimSuffix(filepath.Base(paths[0]), ".yaml")}
	if len(paths) > 1 {
		input.Name = filepath.Base(filepath.Dir(pattern))
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		input.Blobs = append(input.Blobs, blob(t, filepath.Base(path), file))
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return input
}

// checkComplete checks that every document is in exactly one step.
func checkComplete(t *testing.T, given []Input, plan *Plan) {
	t.Helper()
	found := map[manifest.Place]int{}
	for o := range plan.All {
		found[o.Place]++
	}
	total := 0
	for _, phase := range given {
		for _, blob := range phase.Blobs {
			for _, entry := range blob.Entries {
				total++
				if found[entry.Place] != 1 {
					t.Errorf("%s (%s) is in %d steps", entry.Ref, entry.Place, found[entry.Place])
				}
			}
		}
	}
	if plan.Objects() != total {
		t.Errorf("%d objects in the plan, want %d", plan.Objects(), total)
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); accept with -update:\n%s", path, diff)
	}
}
