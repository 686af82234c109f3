package arch

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/cluster-bundle/cluster-api-addon-provider-bundle"

// unit is one package as "go list" has it. Path is relative to the module, and
// so are the imports of our own packages. The main package is ".".
type unit struct {
	Path    string
	Imports []string
}

// rule forbids imports to some packages.
type rule struct {
	name string
	// of says which packages the rule is about.
	of func(path string) bool
	// forbids says whether a package at path may not import imported.
	forbids func(path, imported string) bool
}

// pure are the packages, with all below them, that know no client, network, file
// system and clock.
var pure = []string{"internal/core"}

// impure are the packages, with all below them, that a pure one does not import.
var impure = []string{
	"k8s.io/client-go", "sigs.k8s.io/controller-runtime/pkg/cache", "sigs.k8s.io/controller-runtime/pkg/client",
	"sigs.k8s.io/controller-runtime/pkg/manager", "sigs.k8s.io/cluster-api/controllers",
}

// impureAlone are packages that a pure one does not import, though it may import
// others below them: net/url and net/netip have no network.
var impureAlone = []string{
	"io/ioutil", "log", "net", "net/http", "os", "os/exec", "os/signal", "path/filepath", "syscall",
	"sigs.k8s.io/controller-runtime",
}

// rules are those of the architecture document.
var rules = []rule{
	{
		name: "api imports apimachinery and the standard library only",
		of:   within("api"),
		forbids: func(path, imported string) bool {
			return !isStandard(imported) && !isBelow("k8s.io/apimachinery", imported) && !isBelow("api", imported)
		},
	},
	{
		name:    "internal does not import controllers, but for app, which wires",
		of:      func(path string) bool { return isBelow("internal", path) && path != "internal/app" },
		forbids: func(_, imported string) bool { return isBelow("controllers", imported) },
	},
	{
		name: "controllers do not import each other",
		of:   within("controllers"),
		forbids: func(path, imported string) bool {
			return isBelow("controllers", imported) && !isBelow(path, imported)
		},
	},
	{
		name:    "nothing imports main",
		of:      func(path string) bool { return path != "." },
		forbids: func(_, imported string) bool { return imported == "." },
	},
	{
		name:    "what ships does not import testenv",
		of:      func(path string) bool { return !isBelow("internal/testenv", path) },
		forbids: func(_, imported string) bool { return isBelow("internal/testenv", imported) },
	},
	{
		name: "a pure package imports only api and pure packages of ours",
		of:   isPure,
		forbids: func(_, imported string) bool {
			return isOurs(imported) && !isBelow("api", imported) && !isPure(imported)
		},
	},
	{
		name: "a pure package knows no client, network and file system",
		of:   isPure,
		forbids: func(_, imported string) bool {
			return slices.Contains(impureAlone, imported) ||
				slices.ContainsFunc(impure, func(root string) bool { return isBelow(root, imported) })
		},
	},
}

// violations returns, sorted, what the units do against the rules.
func violations(rules []rule, units []unit) []string {
	var found []string
	for _, r := range rules {
		for _, u := range units {
			for _, imported := range u.Imports {
				if r.of(u.Path) && r.forbids(u.Path, imported) {
					found = append(found, fmt.Sprintf("%s imports %s: %s", u.Path, imported, r.name))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

func within(root string) func(string) bool {
	return func(path string) bool { return isBelow(root, path) }
}

// isBelow reports whether path is root or below it.
func isBelow(root, path string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

func isPure(path string) bool {
	return slices.ContainsFunc(pure, func(root string) bool { return isBelow(root, path) })
}

// isOurs reports whether path, made relative by ofModule, is of the main module.
func isOurs(path string) bool {
	ours := []string{"api", "config", "controllers", "hack", "internal"}
	return path == "." || slices.ContainsFunc(ours, func(root string) bool { return isBelow(root, path) })
}

// isStandard reports whether a package is of the standard library: the first
// element of its path has no dot, as that of a module has.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !isOurs(path)
}

// ofModule returns a path relative to the module, and other modules' as they are.
func ofModule(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}
