package arch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestRulesAreKept(t *testing.T) {
	t.Parallel()
	var units []unit
	for _, p := range listed(t) {
		units = append(units, p.unit())
	}
	for _, broken := range violations(rules, units) {
		t.Error(broken)
	}
	for _, path := range []string{".", "api/v1alpha1", "internal/core/plan"} {
		if !slices.ContainsFunc(units, func(u unit) bool { return u.Path == path && len(u.Imports) > 0 }) {
			t.Errorf("%s was not looked at", path)
		}
	}
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		var docs []string
		for _, f := range p.parse(t) {
			if f.Doc != nil {
				docs = append(docs, f.name)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s has %d package comments, want 1: %v", p.ImportPath, len(docs), docs)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		for _, f := range p.parse(t) {
			if strings.HasSuffix(f.name, "_test.go") {
				continue // a test is documented by its name
			}
			for _, name := range undocumented(f.File) {
				t.Errorf("%s: %s has no comment", f.name, name)
			}
		}
	}
}

func TestPurePackagesDoNotAskForTheTime(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		if !isPure(ofModule(p.ImportPath)) {
			continue
		}
		for _, f := range p.parse(t) {
			for _, call := range clockCalls(f.File) {
				t.Errorf("%s: %s: a pure package gets the time as a value", f.name, call)
			}
		}
	}
}

// TestLongestFunctions keeps the tail visible: go test -v ./internal/arch.
func TestLongestFunctions(t *testing.T) {
	t.Parallel()
	type function struct {
		where string
		lines int
	}
	var all []function
	for _, p := range listed(t) {
		for _, f := range p.parse(t) {
			for name, lines := range lengths(f.fset, f.File) {
				all = append(all, function{ofModule(p.ImportPath) + "." + name, lines})
			}
		}
	}
	slices.SortFunc(all, func(a, b function) int {
		return cmp.Or(cmp.Compare(b.lines, a.lines), cmp.Compare(a.where, b.where))
	})
	if len(all) < 10 {
		t.Fatalf("%d functions were found", len(all))
	}
	for _, f := range all[:10] {
		t.Logf("%4d lines  %s", f.lines, f.where)
	}
}

// listedPackage is a package of the main module as "go list" prints it.
type listedPackage struct {
	Dir          string
	ImportPath   string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// list runs go list once for all tests.
var list = sync.OnceValues(func() ([]listedPackage, error) {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles,TestGoFiles,XTestGoFiles,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
})

func listed(t *testing.T) []listedPackage {
	t.Helper()
	packages, err := list()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func (p listedPackage) unit() unit {
	u := unit{Path: ofModule(p.ImportPath)}
	for _, imported := range p.Imports {
		u.Imports = append(u.Imports, ofModule(imported))
	}
	return u
}

type parsedFile struct {
	*ast.File

	fset *token.FileSet
	name string
}

// parse returns the files that ship, without those that are generated. Of a
// package that holds only tests it returns these.
func (p listedPackage) parse(t *testing.T) []parsedFile {
	t.Helper()
	names := p.GoFiles
	if len(names) == 0 {
		names = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
	}
	var files []parsedFile
	for _, name := range names {
		fset := token.NewFileSet()
		path := filepath.Join(p.Dir, name)
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.IsGenerated(f) {
			files = append(files, parsedFile{f, fset, filepath.Join(ofModule(p.ImportPath), name)})
		}
	}
	return files
}

func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	const (
		reader  = "sigs.k8s.io/controller-runtime/pkg/client/apiutil"
		results = "sigs.k8s.io/controller-runtime/pkg/reconcile"
	)
	tests := map[string]struct {
		given unit
		want  int
	}{
		"api that imports a client":                 {unit{"api/v1alpha1", []string{"k8s.io/client-go/rest"}}, 1},
		"api that imports internal":                 {unit{"api/v1alpha1", []string{"internal/core/fault"}}, 1},
		"api that imports apimachinery":             {unit{"api/v1alpha1", []string{"k8s.io/apimachinery/pkg", "fmt"}}, 0},
		"internal that imports a controller":        {unit{"internal/store", []string{"controllers/bundle"}}, 1},
		"a controller that imports another":         {unit{"controllers/bundle", []string{"controllers/clusterbundle"}}, 1},
		"a controller that imports internal":        {unit{"controllers/bundle", []string{"internal/bundle", "os"}}, 0},
		"main that imports the test clusters":       {unit{".", []string{"internal/testenv"}}, 1},
		"a package that imports main":               {unit{"controllers/bundle", []string{"."}}, 1},
		"a pure package that imports an edge":       {unit{"internal/core/plan", []string{"internal/store"}}, 1},
		"a pure package that imports another":       {unit{"internal/core/plan", []string{"internal/core/manifest", "api/v1alpha1"}}, 0},
		"a pure package with a file system":         {unit{"internal/core/manifest", []string{"os"}}, 1},
		"a pure package with a network":             {unit{"internal/core/release", []string{"net", "net/http"}}, 2},
		"a pure package with addresses":             {unit{"internal/core/release", []string{"net/url"}}, 0},
		"a pure package with a client":              {unit{"internal/core/rollout", []string{reader}}, 1},
		"a pure package with results":               {unit{"internal/core/plan", []string{results}}, 0},
		"an edge with a client, a pure one's name":  {unit{"internal/corner", []string{"k8s.io/client-go/rest"}}, 0},
		"an edge that imports the core and network": {unit{"internal/source", []string{"internal/core/fault", "net"}}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := violations(rules, []unit{tc.given}); len(got) != tc.want {
				t.Errorf("%d violations, want %d: %q", len(got), tc.want, got)
			}
		})
	}
}

func TestFindingsInAFile(t *testing.T) {
	t.Parallel()
	const text = `package p

import "time"

// Documented is.
type Documented struct{}

type Bare struct{}

func (Bare) Method() {
	time.Sleep(time.Second)
}

func (hidden) Method() {}

type hidden struct{}

// Group comment.
const (
	A = 1
	B = time.Second
)

var Lonely = time.Now

func Loud() {}
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"Bare", "Bare.Method", "Lonely", "Loud"}, undocumented(f)); diff != "" {
		t.Errorf("undocumented (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"time.Now", "time.Sleep"}, clockCalls(f)); diff != "" {
		t.Errorf("clock calls (-want +got):\n%s", diff)
	}
	want := map[string]int{"Bare.Method": 3, "hidden.Method": 1, "Loud": 1}
	if diff := gocmp.Diff(want, lengths(fset, f)); diff != "" {
		t.Errorf("lengths (-want +got):\n%s", diff)
	}
}
