//go:build !no_helm

package helm

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// hookEvents are the events that Helm knows. It leaves out a hook with any other.
var hookEvents = []release.HookEvent{
	release.HookPreInstall, release.HookPostInstall, release.HookPreUpgrade, release.HookPostUpgrade,
	release.HookPreDelete, release.HookPostDelete, release.HookPreRollback, release.HookPostRollback,
	release.HookTest, "test-success",
}

// hookOf returns the hook that the annotations of an object make it; nil for none. A
// hook that runs neither at an installation nor at an upgrade has no moment.
func hookOf(annotations map[string]string) *manifest.Hook {
	text, ok := annotations[release.HookAnnotation]
	if !ok {
		return nil
	}
	events := wordsOf[release.HookEvent](text)
	if slices.ContainsFunc(events, func(e release.HookEvent) bool { return !slices.Contains(hookEvents, e) }) {
		return &manifest.Hook{}
	}
	weight, err := strconv.Atoi(annotations[release.HookWeightAnnotation])
	if err != nil {
		weight = 0 // as Helm takes it
	}
	policies := []release.HookDeletePolicy{release.HookBeforeHookCreation}
	if text, ok := annotations[release.HookDeleteAnnotation]; ok {
		policies = wordsOf[release.HookDeletePolicy](text)
	}
	return &manifest.Hook{
		Install:   momentOf(events, release.HookPreInstall, release.HookPostInstall),
		Upgrade:   momentOf(events, release.HookPreUpgrade, release.HookPostUpgrade),
		Weight:    weight,
		Anew:      slices.Contains(policies, release.HookBeforeHookCreation),
		Temporary: slices.Contains(policies, release.HookSucceeded),
	}
}

// isAtDeletion reports whether the annotations are of a hook that Helm runs when the
// chart is deleted.
func isAtDeletion(annotations map[string]string) bool {
	return slices.ContainsFunc(wordsOf[release.HookEvent](annotations[release.HookAnnotation]), func(e release.HookEvent) bool {
		return e == release.HookPreDelete || e == release.HookPostDelete
	})
}

// missedAtDeletion returns a warning that names the templates of hooks that clean up when
// a chart is deleted: nothing runs at an uninstall.
func missedAtDeletion(all []document) []string {
	var names []string
	for _, d := range all {
		if d.atDeletion {
			names = append(names, d.path)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"its hooks for a deletion do not run: do yourself what they clean up behind an uninstall: " + sortedList(names)}
}

// wordsOf returns the words of an annotation.
func wordsOf[T ~string](text string) []T {
	var words []T
	for word := range strings.SplitSeq(text, ",") {
		words = append(words, T(strings.ToLower(strings.TrimSpace(word))))
	}
	return words
}

// momentOf returns when a hook with some events runs. One that runs before and behind
// the other objects runs before them.
func momentOf(events []release.HookEvent, before, after release.HookEvent) manifest.Moment {
	switch {
	case slices.Contains(events, before):
		return manifest.Before
	case slices.Contains(events, after):
		return manifest.After
	}
	return ""
}

// hooksRefused names the hooks by their templates: their names may come from values.
func hooksRefused(hooks []document) error {
	var names []string
	for _, d := range hooks {
		names = append(names, d.path)
	}
	return invalid("it has hooks, and hooks is Refuse: %s", sortedList(names))
}

// markHooks marks those of the documents that are hooks, for whoever reads them: Helm's
// own annotations mean nothing in a file that is no chart's.
func markHooks(documents []document) error {
	for i, d := range documents {
		if d.hook == nil {
			continue
		}
		body, err := marked(d.body, *d.hook)
		if err != nil {
			return invalid("%s: it is a hook, and its annotations cannot be read", d.path)
		}
		documents[i].body = body
	}
	return nil
}

// marked returns the content of an object with the mark of a hook, as JSON: to write YAML
// again may change it, such as a folded text, or what an anchor stands for.
func marked(content string, hook manifest.Hook) (string, error) {
	mark, err := json.Marshal(hook)
	if err != nil {
		return "", err
	}
	once, err := yaml.YAMLToJSON([]byte(content))
	if err != nil {
		return "", err
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(once))
	decoder.UseNumber() // as it is written
	if err := decoder.Decode(&object); err != nil {
		return "", err
	}
	for _, o := range objectsIn(object) {
		annotate(o, manifest.HookAnnotation, string(mark))
	}
	result, err := json.Marshal(object)
	return string(result), err
}

// objectsIn returns what a List holds, since a hook that is a List is all of it, or the
// object itself.
func objectsIn(object map[string]any) []map[string]any {
	items, isList := object["items"].([]any)
	if kind, _ := object["kind"].(string); !isList || !strings.HasSuffix(kind, "List") {
		return []map[string]any{object}
	}
	var objects []map[string]any
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			objects = append(objects, o)
		}
	}
	return objects
}

// annotate adds an annotation to an object.
func annotate(object map[string]any, key, value string) {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return // what has no name is refused when it is read
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = make(map[string]any)
		metadata["annotations"] = annotations
	}
	annotations[key] = value
}
