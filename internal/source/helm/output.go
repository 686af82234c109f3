//go:build !no_helm

package helm

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// document is one YAML document of a file.
type document struct {
	path string
	// number of the document in its file, from 1.
	number int
	body   string
	kind   string
	// hook is when a hook runs; nil for an ordinary document.
	hook *manifest.Hook
	// atDeletion is whether it is a hook that Helm runs when the chart is deleted.
	atDeletion bool
}

// manifests returns the documents that the templates wrote, in the order in which
// Helm installs them, with the hooks that run at an installation or an upgrade, unless
// these are refused. It returns a warning of hooks that are missed at a deletion.
func manifests(files map[string]string, refuseHooks bool) (documents []document, warnings []string, err error) {
	all, err := readAll(files)
	if err != nil {
		return nil, nil, err
	}
	documents = thoseOf(all, document.isApplied)
	if hooks := thoseOf(documents, document.isHook); refuseHooks && len(hooks) > 0 {
		return nil, nil, hooksRefused(hooks)
	}
	slices.SortStableFunc(documents, compareKinds)
	return documents, missedAtDeletion(all), nil
}

// thoseOf returns the documents for which is holds.
func thoseOf(all []document, is func(document) bool) []document {
	return slices.DeleteFunc(slices.Clone(all), func(d document) bool { return !is(d) })
}

// readAll returns the documents, all hooks among them, in the order of the files.
func readAll(files map[string]string) ([]document, error) {
	var documents []document
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i, content := range splitDocuments(files[name]) {
			d, err := read(name, content)
			if err != nil {
				return nil, err
			}
			d.number = i + 1
			if d.body != "" {
				documents = append(documents, d)
			}
		}
	}
	return documents, nil
}

// isHook reports whether the document is a hook.
func (d document) isHook() bool { return d.hook != nil }

// isApplied reports whether Helm would apply the document at an installation or an
// upgrade. A hook that cleans up after a deletion must not run before it.
func (d document) isApplied() bool {
	return d.hook == nil || d.hook.Install != "" || d.hook.Upgrade != ""
}

// read returns a document, or one without content if there is nothing but comments.
func read(name, body string) (document, error) {
	var head releaseutil.SimpleHead
	if err := yaml.Unmarshal([]byte(body), &head); err != nil {
		return document{}, invalid("what template %s writes is no YAML of a Kubernetes object%s", name, place(err, 1))
	}
	d := document{path: name, body: body, kind: head.Kind}
	if head.Kind == "" && head.Version == "" {
		var content any
		if err := yaml.Unmarshal([]byte(body), &content); err == nil && content == nil {
			d.body = ""
		}
	}
	if head.Metadata != nil {
		d.hook, d.atDeletion = hookOf(head.Metadata.Annotations), isAtDeletion(head.Metadata.Annotations)
	}
	return d, nil
}

// compareKinds orders documents as Helm installs them: kinds that it does not know
// come last, by their names.
func compareKinds(a, b document) int {
	rank := func(d document) int {
		if i := slices.Index(releaseutil.InstallOrder, d.kind); i >= 0 {
			return i
		}
		return len(releaseutil.InstallOrder)
	}
	order := cmp.Compare(rank(a), rank(b))
	if order == 0 && rank(a) == len(releaseutil.InstallOrder) {
		return cmp.Compare(a.kind, b.kind)
	}
	return order
}

// write writes the documents if they keep the limit.
func write(w io.Writer, documents []document, limit int64) error {
	var out int64
	texts := make([]string, len(documents))
	for i, d := range documents {
		texts[i] = fmt.Sprintf("---\n# Source: %s\n%s\n", text.Line(d.path, maxText), strings.TrimRight(d.body, "\n"))
		if out += int64(len(texts[i])); out > limit {
			return tooLarge("its output is larger than the limit of %d bytes", limit)
		}
	}
	for _, content := range texts {
		if _, err := io.WriteString(w, content); err != nil {
			return err
		}
	}
	return nil
}
