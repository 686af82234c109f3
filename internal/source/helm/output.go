package helm

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// document is one YAML document of a file.
type document struct {
	path string
	// number of the document in its file, from 1.
	number int
	body   string
	kind   string
	// hooks are the events that a hook waits for; none for an ordinary document.
	hooks []string
}

// manifests returns the documents that the templates wrote, in the order in which
// Helm installs them, hooks among them if they are wanted.
func manifests(files map[string]string, applyHooks bool) ([]document, error) {
	documents, hooks, err := readAll(files)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 && !applyHooks {
		return nil, hooksRefused(hooks)
	}
	for _, d := range hooks {
		if !d.isInstalled() {
			continue
		}
		content, err := withoutHook(d.body)
		if err != nil {
			return nil, invalid("%s: its hook cannot be applied as an ordinary object", d.path)
		}
		d.body = content
		documents = append(documents, d)
	}
	slices.SortStableFunc(documents, compareKinds)
	return documents, nil
}

// readAll returns the ordinary documents and the hooks, in the order of the files.
func readAll(files map[string]string) (documents, hooks []document, err error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i, content := range splitDocuments(files[name]) {
			d, err := read(name, content)
			d.number = i + 1
			switch {
			case err != nil:
				return nil, nil, err
			case d.body == "" || d.isTest():
			case len(d.hooks) == 0:
				documents = append(documents, d)
			default:
				hooks = append(hooks, d)
			}
		}
	}
	return documents, hooks, nil
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
	if head.Metadata == nil {
		return d, nil
	}
	if events, ok := head.Metadata.Annotations[release.HookAnnotation]; ok {
		for event := range strings.SplitSeq(events, ",") {
			d.hooks = append(d.hooks, strings.ToLower(strings.TrimSpace(event)))
		}
	}
	return d, nil
}

// isTest reports whether d is a hook for tests only.
func (d document) isTest() bool {
	isNoTest := func(event string) bool { return event != "test" && event != "test-success" && event != "test-failure" }
	return len(d.hooks) > 0 && !slices.ContainsFunc(d.hooks, isNoTest)
}

// isInstalled reports whether Helm would apply the hook at an installation or an
// upgrade. One that cleans up after a deletion must not run before it.
func (d document) isInstalled() bool {
	return slices.ContainsFunc(d.hooks, func(event string) bool {
		return strings.HasSuffix(event, "-install") || strings.HasSuffix(event, "-upgrade")
	})
}

// hooksRefused names the hooks by their templates: their names may come from values.
func hooksRefused(hooks []document) error {
	var names []string
	for _, d := range hooks {
		names = append(names, d.path)
	}
	return invalid("it has hooks, which are refused unless hooks is Apply: %s", sortedList(names))
}

// withoutHook returns the content of an object without the annotations of a hook, and
// everything else as it was.
func withoutHook(content string) (string, error) {
	var root goyaml.Node
	if err := goyaml.Unmarshal([]byte(content), &root); err != nil {
		return "", err
	}
	if len(root.Content) == 0 {
		return "", fmt.Errorf("no content")
	}
	metadata := field(root.Content[0], "metadata")
	annotations := field(metadata, "annotations")
	if annotations == nil {
		return "", fmt.Errorf("no annotations")
	}
	for _, name := range []string{
		release.HookAnnotation, release.HookWeightAnnotation,
		release.HookDeleteAnnotation, release.HookOutputLogAnnotation,
	} {
		remove(annotations, name)
	}
	if len(annotations.Content) == 0 {
		remove(metadata, "annotations")
	}
	var out bytes.Buffer
	encoder := goyaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return "", err
	}
	return out.String(), encoder.Close()
}

// field returns the value of a key in a mapping, or nil.
func field(mapping *goyaml.Node, key string) *goyaml.Node {
	if mapping == nil || mapping.Kind != goyaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// remove takes a key out of a mapping.
func remove(mapping *goyaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
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
