package arch

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/cluster-bundle/cluster-api-addon-provider-bundle"

// unit is one package as "go list" prints it.
type unit struct {
	path   string   // relative to the module; the main package is "."
	ours   []string // imports of this module, relative to it
	others []string // imports of the standard library and of other modules
}

// layer is a kind of package. The path of a package alone decides its layer.
type layer struct {
	rule string
	has  func(path string) bool
	// allows reports whether a package at path may import imported, which is of
	// this module and is neither main nor test support.
	allows func(path, imported string) bool
}

// layers are in order: a package belongs to the first one that has it.
var layers = []layer{
	{
		rule:   "main imports only api and internal/app",
		has:    func(path string) bool { return path == "." },
		allows: func(_, imported string) bool { return isAPI(imported) || imported == "internal/app" },
	},
	{
		rule:   "api imports only api",
		has:    isAPI,
		allows: func(_, imported string) bool { return isAPI(imported) },
	},
	{
		rule: "test support imports api and internal, but not internal/app",
		has:  isTestSupport,
		allows: func(_, imported string) bool {
			return isAPI(imported) || isInternal(imported) && !isApp(imported)
		},
	},
	{
		rule:   "core imports only api and core",
		has:    isCore,
		allows: func(_, imported string) bool { return isAPI(imported) || isCore(imported) },
	},
	{
		rule: "internal/app imports everything that ships, but main",
		has:  isApp,
		allows: func(_, imported string) bool {
			return isAPI(imported) || isInternal(imported) || isController(imported)
		},
	},
	{
		rule: "an edge imports api, core and what is below it; the rest is in the table lateral",
		has:  isInternal,
		allows: func(path, imported string) bool {
			return isAPI(imported) || isCore(imported) || isBelow(path, imported) || isLateral(path, imported)
		},
	},
	{
		rule: "a controller imports api, core and the edges in the table controllerEdges",
		has:  isController,
		allows: func(path, imported string) bool {
			return isAPI(imported) || isCore(imported) || isBelow(path, imported) || slices.Contains(controllerEdges, imported)
		},
	},
	{
		rule:   "a package at a path that no rule knows imports nothing of this module",
		has:    func(string) bool { return true },
		allows: func(string, string) bool { return false },
	},
}

// lateral are all imports between edges, and between packages side by side in one
// wing. The importer is that package alone; what it imports may also be below "to".
var lateral = []struct{ from, to string }{
	{"internal/library", "internal/source"},                  // has sources resolved, and unpacks their parts
	{"internal/library", "internal/store"},                   // keeps indexes and objects beside the downloads
	{"internal/source", "internal/store"},                    // has the store do every download
	{"internal/library", "internal/source"},                  // has sources resolved, and unpacks their parts
	{"internal/library", "internal/store"},                   // keeps indexes and objects beside the downloads
	{"internal/source", "internal/store"},                    // has the store do every download
	{"internal/source/child", "internal/source/slots"},       // each namespace has one child at a time
	{"internal/workload", "internal/source/slots"},           // each namespace has its share of the attempts to connect
	{"internal/source/kustomize", "internal/source/child"},   // what strangers wrote is worked on in a child process
	{"internal/source/kustomize", "internal/source/archive"}, // the child unpacks, too
	{"internal/source/helm", "internal/source/child"},        // as above
	{"internal/source/fetch", "internal/source/httpclient"},  // redirects, stalled bodies and statuses are those of all HTTP clients
	{"internal/source/oci", "internal/source/httpclient"},    // as above
	{"internal/source/kustomize", "internal/source/archive"}, // the child unpacks, too
	{"internal/source/fetch", "internal/source/httpclient"},  // redirects, stalled bodies and statuses are those of all HTTP clients
	{"internal/source/oci", "internal/source/httpclient"},    // as above
}

// controllerEdges are the edges that controllers may import. Sources and the
// store are not among them: controllers see releases, which the library opens.
var controllerEdges = []string{
	"internal/capi",     // paused, moved, filters, which Clusters are connected
	"internal/library",  // opened releases and their digests
	"internal/status",   // conditions, events, the end of a reconcile
	"internal/trigger",  // events that are not about an object of the API
	"internal/workload", // one workload cluster
}

// coreBans are packages of the standard library and of other modules that core
// does not import, with all below them: no client, no network, no file system.
var coreBans = []string{
	"io/ioutil", "log", "net/http", "os", "path/filepath", "syscall",
	"k8s.io/client-go", "sigs.k8s.io/cluster-api/controllers", "sigs.k8s.io/controller-runtime/pkg/cache",
	"sigs.k8s.io/controller-runtime/pkg/client", "sigs.k8s.io/controller-runtime/pkg/manager",
}

// coreAllows are packages below those of coreBans that hold types and constants only.
var coreAllows = []string{
	"k8s.io/client-go/applyconfigurations", // the schemas of the built-in kinds
}

// coreBansAlone are packages that core does not import, though it may import some
// below them: net/url and net/netip open no connection.
var coreBansAlone = []string{"net", "sigs.k8s.io/controller-runtime"}

// violations returns, sorted, the imports of the units that no rule allows.
func violations(units []unit) []string {
	var found []string
	for _, u := range units {
		for _, imported := range u.ours {
			if rule := brokenBy(u.path, imported); rule != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", u.path, imported, rule))
			}
		}
		for _, imported := range u.others {
			if rule := brokenByOther(u.path, imported); rule != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", u.path, imported, rule))
			}
		}
	}
	slices.Sort(found)
	return found
}

// brokenBy returns the rule that forbids a package at path to import a package of
// this module, or "".
func brokenBy(path, imported string) string {
	switch {
	case imported == ".":
		return "nothing imports main"
	case isTestSupport(imported) && !isTestSupport(path):
		return "only tests and test support import test support"
	case isTestSupport(imported):
		return ""
	}
	l := layers[slices.IndexFunc(layers, func(l layer) bool { return l.has(path) })]
	if l.allows(path, imported) {
		return ""
	}
	return l.rule
}

// brokenByOther is brokenBy for packages of the standard library and of other modules.
func brokenByOther(path, imported string) string {
	switch {
	case isAPI(path) && !isStandard(imported) && !isIn("k8s.io/apimachinery", imported):
		return "api imports only apimachinery and the standard library"
	case isCore(path) && isBanned(imported):
		return "core has no client, no network and no file system"
	}
	return ""
}

func isAPI(path string) bool        { return isIn("api", path) }
func isCore(path string) bool       { return isBelow("internal/core", path) }
func isApp(path string) bool        { return isIn("internal/app", path) }
func isInternal(path string) bool   { return isBelow("internal", path) }
func isController(path string) bool { return isBelow("controllers", path) }

// isTestSupport reports whether a package is made for tests: the control planes,
// and packages named as net/http/httptest is.
func isTestSupport(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return isIn("internal/testenv", path) || isInternal(path) && strings.HasSuffix(last, "test")
}

func isLateral(path, imported string) bool {
	for _, l := range lateral {
		if path == l.from && isIn(l.to, imported) {
			return true
		}
	}
	return false
}

func isBanned(path string) bool {
	return slices.Contains(coreBansAlone, path) || !slices.Contains(coreAllows, path) &&
		slices.ContainsFunc(coreBans, func(root string) bool { return isIn(root, path) })
}

// isIn reports whether path is root or below it.
func isIn(root, path string) bool {
	return path == root || isBelow(root, path)
}

// isBelow reports whether path is below root.
func isBelow(root, path string) bool {
	return strings.HasPrefix(path, root+"/")
}

// isStandard reports whether a package is of the standard library: the first
// element of its path has no dot, as that of a module has.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// relative returns a path relative to the module. It is false for the standard
// library and other modules.
func relative(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}
