package arch

import (
	"bytes"
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
	for _, broken := range violations(units) {
		t.Error(broken)
	}
	for _, path := range []string{".", "api/v1alpha1", "internal/core/plan"} {
		if !slices.ContainsFunc(units, func(u unit) bool { return u.path == path && len(u.others) > 0 }) {
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

func TestCoreReadsNoClock(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		if !isCore(p.path()) {
			continue
		}
		for _, f := range p.parse(t) {
			for _, call := range clockCalls(f.File) {
				t.Errorf("%s: %s: core gets the time as a value", f.name, call)
			}
		}
	}
}

// Limits of the code that ships, in lines.
const (
	maxFunction = 50
	maxFile     = 300
)

// TestLongestFunctions keeps the tail visible: go test -v -run Longest ./internal/arch.
func TestLongestFunctions(t *testing.T) {
	t.Parallel()
	var all []size
	for _, p := range listed(t) {
		for _, f := range p.parseShipped(t) {
			for name, lines := range lengths(f.fset, f.File) {
				all = append(all, size{f.name + ": " + name, lines})
			}
		}
	}
	report(t, all, maxFunction)
}

// TestLongestFiles is TestLongestFunctions for files.
func TestLongestFiles(t *testing.T) {
	t.Parallel()
	var all []size
	for _, p := range listed(t) {
		for _, f := range p.parseShipped(t) {
			all = append(all, size{f.name, f.fset.File(f.FileStart).LineCount()})
		}
	}
	report(t, all, maxFile)
}

// report prints the ten longest, and fails for each that is over the limit.
func report(t *testing.T, all []size, limit int) {
	t.Helper()
	if len(all) < 10 {
		t.Fatalf("only %d were found", len(all))
	}
	sortLongestFirst(all)
	t.Logf("%d, lines p50/p90/max %d/%d/%d", len(all), percentile(all, 50), percentile(all, 90), percentile(all, 100))
	for _, s := range all[:10] {
		t.Logf("%4d  %s", s.lines, s.where)
	}
	for _, s := range over(all, limit) {
		t.Errorf("%s has %d lines, more than %d", s.where, s.lines, limit)
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

// path returns the path of the package relative to the module.
func (p listedPackage) path() string {
	path, _ := relative(p.ImportPath)
	return path
}

func (p listedPackage) unit() unit {
	u := unit{path: p.path()}
	for _, imported := range p.Imports {
		if path, ok := relative(imported); ok {
			u.ours = append(u.ours, path)
		} else {
			u.others = append(u.others, imported)
		}
	}
	return u
}

type parsedFile struct {
	*ast.File

	fset *token.FileSet
	name string
}

// parseShipped returns the files that ship, without those that are generated.
func (p listedPackage) parseShipped(t *testing.T) []parsedFile {
	t.Helper()
	var files []parsedFile
	for _, name := range p.GoFiles {
		if f := p.parseFile(t, name); !ast.IsGenerated(f.File) {
			files = append(files, f)
		}
	}
	return files
}

// parse is parseShipped, but returns the tests of a package that holds only tests.
func (p listedPackage) parse(t *testing.T) []parsedFile {
	t.Helper()
	if len(p.GoFiles) > 0 {
		return p.parseShipped(t)
	}
	var files []parsedFile
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		files = append(files, p.parseFile(t, name))
	}
	return files
}

func (p listedPackage) parseFile(t *testing.T, name string) parsedFile {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return parsedFile{f, fset, filepath.Join(p.path(), name)}
}

// TestViolationsAreFound proves each rule by an import that breaks it. The imports
// are invented; the paths need not exist.
func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	const (
		reader  = "sigs.k8s.io/controller-runtime/pkg/client/apiutil"
		results = "sigs.k8s.io/controller-runtime/pkg/reconcile"
	)
	tests := map[string]struct {
		given unit
		want  bool // that it is found
	}{
		"main imports the wiring":                        {unit{".", []string{"internal/app"}, nil}, false},
		"main imports api":                               {unit{".", []string{"api/v1alpha1"}, nil}, false},
		"main imports a controller":                      {unit{".", []string{"controllers/bundle"}, nil}, true},
		"main imports an edge":                           {unit{".", []string{"internal/store"}, nil}, true},
		"main imports test support":                      {unit{".", []string{"internal/testenv"}, nil}, true},
		"a controller imports main":                      {unit{"controllers/bundle", []string{"."}, nil}, true},
		"the wiring imports main":                        {unit{"internal/app", []string{"."}, nil}, true},
		"api imports apimachinery":                       {unit{"api/v1alpha1", nil, []string{"k8s.io/apimachinery/pkg"}}, false},
		"api imports the standard library":               {unit{"api/v1alpha1", nil, []string{"fmt"}}, false},
		"api imports another version of itself":          {unit{"api/v1beta1", []string{"api/v1alpha1"}, nil}, false},
		"api imports a client":                           {unit{"api/v1alpha1", nil, []string{"k8s.io/client-go/rest"}}, true},
		"api imports core":                               {unit{"api/v1alpha1", []string{"internal/core/fault"}, nil}, true},
		"core imports core":                              {unit{"internal/core/plan", []string{"internal/core/manifest"}, nil}, false},
		"core imports api":                               {unit{"internal/core/plan", []string{"api/v1alpha1"}, nil}, false},
		"core imports the schemas of Kubernetes":         {unit{"internal/core/validation", nil, []string{"k8s.io/client-go/applyconfigurations"}}, false},
		"core imports what is below the schemas":         {unit{"internal/core/validation", nil, []string{"k8s.io/client-go/applyconfigurations/core/v1"}}, true},
		"core imports an edge":                           {unit{"internal/core/plan", []string{"internal/store"}, nil}, true},
		"core imports the wiring":                        {unit{"internal/core/plan", []string{"internal/app"}, nil}, true},
		"core imports a controller":                      {unit{"internal/core/plan", []string{"controllers/bundle"}, nil}, true},
		"core imports a file system":                     {unit{"internal/core/manifest", nil, []string{"os"}}, true},
		"core imports programs":                          {unit{"internal/core/manifest", nil, []string{"os/exec"}}, true},
		"core imports paths of files":                    {unit{"internal/core/manifest", nil, []string{"path/filepath"}}, true},
		"core imports a network":                         {unit{"internal/core/release", nil, []string{"net"}}, true},
		"core imports HTTP":                              {unit{"internal/core/release", nil, []string{"net/http"}}, true},
		"core imports addresses":                         {unit{"internal/core/release", nil, []string{"net/url"}}, false},
		"core imports a client":                          {unit{"internal/core/rollout", nil, []string{reader}}, true},
		"core imports the whole of controller-runtime":   {unit{"internal/core/rollout", nil, []string{"sigs.k8s.io/controller-runtime"}}, true},
		"core imports results":                           {unit{"internal/core/plan", nil, []string{results}}, false},
		"core imports test support":                      {unit{"internal/core/plan", []string{"internal/core/fault/faulttest"}, nil}, true},
		"an edge imports core":                           {unit{"internal/store", []string{"internal/core/fault"}, nil}, false},
		"an edge imports api":                            {unit{"internal/store", []string{"api/v1alpha1"}, nil}, false},
		"an edge imports a network":                      {unit{"internal/store", nil, []string{"net"}}, false},
		"an edge with a name like core imports a client": {unit{"internal/corner", nil, []string{reader}}, false},
		"an edge imports another":                        {unit{"internal/store", []string{"internal/workload"}, nil}, true},
		"an edge imports a controller":                   {unit{"internal/store", []string{"controllers/bundle"}, nil}, true},
		"an edge imports the wiring":                     {unit{"internal/store", []string{"internal/app"}, nil}, true},
		"an edge imports what is below it":               {unit{"internal/source", []string{"internal/source/oci"}, nil}, false},
		"a child imports its parent":                     {unit{"internal/source/oci", []string{"internal/source"}, nil}, true},
		"a child imports a sibling":                      {unit{"internal/source/oci", []string{"internal/source/helm"}, nil}, true},
		"a child imports a sibling of the table":         {unit{"internal/source/oci", []string{"internal/source/httpclient"}, nil}, false},
		"a child that the table does not name":           {unit{"internal/source/helm", []string{"internal/source/httpclient"}, nil}, true},
		"a sibling of the table in return":               {unit{"internal/source/httpclient", []string{"internal/source/oci"}, nil}, true},
		"a child imports the store":                      {unit{"internal/source/fetch", []string{"internal/store"}, nil}, true},
		"the sources import the store":                   {unit{"internal/source", []string{"internal/store"}, nil}, false},
		"the sources import the library":                 {unit{"internal/source", []string{"internal/library"}, nil}, true},
		"the library imports the sources":                {unit{"internal/library", []string{"internal/source"}, nil}, false},
		"the library imports what is below the sources":  {unit{"internal/library", []string{"internal/source/archive"}, nil}, false},
		"the library imports the store":                  {unit{"internal/library", []string{"internal/store"}, nil}, false},
		"the library imports a workload cluster":         {unit{"internal/library", []string{"internal/workload"}, nil}, true},
		"a workload cluster imports Cluster API's side":  {unit{"internal/workload", []string{"internal/capi"}, nil}, true},
		"the wiring imports a controller":                {unit{"internal/app", []string{"controllers/bundle"}, nil}, false},
		"the wiring imports an edge":                     {unit{"internal/app", []string{"internal/source/fetch"}, nil}, false},
		"the wiring imports test support":                {unit{"internal/app", []string{"internal/testenv"}, nil}, true},
		"a controller imports core":                      {unit{"controllers/bundle", []string{"internal/core/release"}, nil}, false},
		"a controller imports the library":               {unit{"controllers/bundle", []string{"internal/library"}, nil}, false},
		"a controller imports a source":                  {unit{"controllers/bundle", []string{"internal/source"}, nil}, true},
		"a controller imports what is below a source":    {unit{"controllers/bundle", []string{"internal/source/oci"}, nil}, true},
		"a controller imports the store":                 {unit{"controllers/bundle", []string{"internal/store"}, nil}, true},
		"a controller imports another":                   {unit{"controllers/bundle", []string{"controllers/placement"}, nil}, true},
		"a controller imports one with a longer name":    {unit{"controllers/clusterbundle", []string{"controllers/clusterbundleset"}, nil}, true},
		"a controller imports the wiring":                {unit{"controllers/bundle", []string{"internal/app"}, nil}, true},
		"a controller imports test support":              {unit{"controllers/bundle", []string{"internal/status/statustest"}, nil}, true},
		"test support imports what it supports":          {unit{"internal/source/oci/ocitest", []string{"internal/source/oci"}, nil}, false},
		"test support imports test support":              {unit{"internal/source/signature/signaturetest", []string{"internal/source/oci/ocitest"}, nil}, false},
		"test support imports the wiring":                {unit{"internal/testenv", []string{"internal/app"}, nil}, true},
		"test support imports a controller":              {unit{"internal/testenv", []string{"controllers/bundle"}, nil}, true},
		"a program that no rule knows imports an edge":   {unit{"cmd/unknown", []string{"internal/store"}, nil}, true},
		"the integration tests ship nothing":             {unit{"test", []string{"internal/store"}, nil}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := violations([]unit{tc.given}); (len(got) > 0) != tc.want {
				t.Errorf("%q were found, want any: %v", got, tc.want)
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

func TestSizes(t *testing.T) {
	t.Parallel()
	sizes := []size{{"b", 3}, {"long", 51}, {"a", 3}, {"longer", 60}, {"at the limit", 50}}
	sortLongestFirst(sizes)
	want := []size{{"longer", 60}, {"long", 51}, {"at the limit", 50}, {"a", 3}, {"b", 3}}
	if diff := gocmp.Diff(want, sizes, gocmp.AllowUnexported(size{})); diff != "" {
		t.Errorf("longest first (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(want[:2], over(sizes, 50), gocmp.AllowUnexported(size{})); diff != "" {
		t.Errorf("over 50 (-want +got):\n%s", diff)
	}
	for percent, want := range map[int]int{1: 3, 50: 50, 80: 51, 90: 60, 100: 60} {
		if got := percentile(sizes, percent); got != want {
			t.Errorf("p%d is %d, want %d", percent, got, want)
		}
	}
}
