package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

var (
	errIdentity   = errors.New("the identity of an object cannot be patched")
	errDefinition = errors.New("group, names, scope and versions of a CustomResourceDefinition cannot be patched")
)

// Object returns an object of an index with changes: its bytes, given those that were
// indexed, and its entry, of which the place in the file is still that of the latter.
// Errors are Stalls with the reason PatchFailed that name the patch and the object.
func (c Changes) Object(entry manifest.Entry, body []byte, limits manifest.Limits) (manifest.Entry, []byte, error) {
	patched := body
	for _, change := range c {
		var err error
		if patched, err = change.applied(patched, limits.Object); err != nil {
			return entry, nil, failed(change.Name, entry.Ref.String(), err)
		}
	}
	object, err := decoded(patched, limits)
	switch {
	case err != nil:
	case identityOf(body) != identityOf(patched):
		err = errIdentity
	case !reflect.DeepEqual(object.CRD, entry.CRD):
		err = errDefinition
	}
	if err != nil {
		return entry, nil, failed(c[len(c)-1].Name, entry.Ref.String(), err)
	}
	made := object.Entry()
	entry.Length, entry.SHA256, entry.Images = made.Length, made.SHA256, made.Images
	entry.LabelsAt, entry.AnnotationsAt = made.LabelsAt, made.AnnotationsAt
	return entry, object.JSON, nil
}

// decoded returns the only object of a document, in the form of an index.
func decoded(document []byte, limits manifest.Limits) (manifest.Object, error) {
	for object, err := range manifest.Objects(bytes.NewReader(document), "patched", limits) {
		object.JSON = bytes.Clone(object.JSON)
		return object, err
	}
	return manifest.Object{}, errIdentity
}

// identityOf returns what identifies an object, as it is written.
func identityOf(document []byte) (identity struct {
	APIVersion, Kind string
	Metadata         struct{ Name, Namespace string }
}) {
	_ = json.Unmarshal(document, &identity) // both were decoded before
	return identity
}

// maxValues bounds the values of a chart, as JSON.
const maxValues = 8 << 20

// Values returns values of a chart, which are JSON, with changes. Errors are as those of
// Object.
func (c Changes) Values(values json.RawMessage) (json.RawMessage, error) {
	if len(c) == 0 {
		return values, nil
	}
	for _, change := range c {
		prepared, err := change.prepare(values)
		if err == nil {
			values, err = change.applied(prepared, maxValues)
		}
		if err != nil {
			return nil, failed(change.Name, "values of "+change.Selector.HelmRelease, err)
		}
	}
	tree, err := treeOf(values)
	if err != nil {
		return nil, failed(c[0].Name, "values of "+c[0].Selector.HelmRelease, err)
	}
	return json.Marshal(tree) // with sorted keys
}

var errNoMapping = errors.New("values are no mapping")

func treeOf(values json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(values))
	decoder.UseNumber()
	tree := map[string]any{}
	if len(values) == 0 {
		return tree, nil
	}
	if err := decoder.Decode(&tree); err != nil || tree == nil {
		return nil, errNoMapping
	}
	return tree, nil
}

// prepare makes the mappings that are missing on the way to what is added: values that a
// Bundle does not have are the defaults of the chart.
func (c Change) prepare(values json.RawMessage) (json.RawMessage, error) {
	tree, err := treeOf(values)
	if err != nil {
		return nil, err
	}
	for _, operation := range c.Operations {
		if path := strings.Split(operation.Path, "/"); operation.Op == v1alpha1.AddPatchOperation && len(path) > 1 {
			makeWay(tree, path[1:len(path)-1])
		}
	}
	return json.Marshal(tree)
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func makeWay(at map[string]any, path []string) {
	for _, segment := range path {
		key := unescape.Replace(segment)
		if at[key] == nil {
			at[key] = map[string]any{}
		}
		next, ok := at[key].(map[string]any)
		if !ok {
			return // the operation itself fails, or goes into a list
		}
		at = next
	}
}

// applied returns a document with the operations of the change.
func (c Change) applied(document []byte, limit int64) (patched []byte, err error) {
	written, err := json.Marshal(c.Operations)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.DecodePatch(written)
	if err != nil {
		return nil, err
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	err = fault.Guard(func() (err error) {
		patched, err = operations.ApplyWithOptions(document, options)
		return err
	})
	if err == nil && int64(len(patched)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return patched, err
}

func failed(patch, what string, err error) error {
	return fault.Stallf(v1alpha1.PatchFailedReason, "patch %s: %s: %s", patch, what, text.Line(err.Error(), maxMessage))
}
