//go:build !no_helm

package helm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// maxValuesBytes bounds one source of values: more than a ConfigMap can hold.
const maxValuesBytes = 3 << 20

// maxMergedBytes bounds all values together, as JSON.
const maxMergedBytes = 8 << 20

// Values returns the values of the documents, the later over the earlier, and of
// inline, which is JSON, over them, as Helm merges several -f and one --set-json: as JSON
// with sorted keys. Mappings are merged, everything else is replaced. A null stays: it
// removes a default of the chart when that is rendered. What is empty has no values.
//
// The warnings name keys that stand more than once in a mapping of a document: the
// last one counts, as with Helm.
//
// Errors are Stalls and name the document and the line, and never a value:
// ReferenceInvalid for a document, SourceInvalid for inline, LimitExceeded for one
// over 3 MiB, and for more than 8 MiB together.
//
// Nothing bounds the memory and the time that aliases in a document take: those of
// strangers are read with ValuesTask.
func Values(documents []Document, inline []byte) (values json.RawMessage, warnings []string, err error) {
	merged := map[string]any{}
	for _, document := range documents {
		if len(document.YAML) > maxValuesBytes {
			return nil, nil, tooLarge("%s: larger than the limit of %d bytes", document.Name, maxValuesBytes)
		}
		values, repeated, err := parseYAML(document.YAML)
		if err != nil {
			return nil, nil, fault.Stallf(v1alpha1.ReferenceInvalidReason, "%s: %w", document.Name, err)
		}
		if len(repeated) > 0 {
			warnings = append(warnings, document.Name+": "+standRepeated(repeated))
		}
		merged = loader.MergeMaps(merged, values)
	}
	own, err := parseInline(inline)
	if err != nil {
		return nil, nil, err
	}
	values, err = json.Marshal(loader.MergeMaps(merged, own))
	if len(values) > maxMergedBytes {
		return nil, nil, tooLarge("values: larger than the limit of %d bytes together", maxMergedBytes)
	}
	return values, warnings, err
}

// parseInline returns the values of a mapping in JSON.
func parseInline(inline []byte) (map[string]any, error) {
	if len(inline) > maxValuesBytes {
		return nil, tooLarge("values: larger than the limit of %d bytes", maxValuesBytes)
	}
	var values map[string]any
	if len(bytes.TrimSpace(inline)) > 0 && json.Unmarshal(inline, &values) != nil {
		return nil, fault.Stallf(v1alpha1.SourceInvalidReason, "values: not a mapping in JSON")
	}
	return values, nil
}

// parseYAML returns the values of YAML documents, and the paths of the keys that stand
// more than once.
func parseYAML(text []byte) (merged map[string]any, repeated []string, err error) {
	merged = map[string]any{}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return merged, repeated, nil
		}
		if err != nil {
			return nil, nil, errors.New("not YAML")
		}
		var values any
		if err := yaml.Unmarshal(document, &values); err != nil {
			return nil, nil, fmt.Errorf("not YAML%s", place(err, n))
		}
		mapping, ok := values.(map[string]any)
		if !ok && values != nil {
			return nil, nil, errors.New("not a mapping of values")
		}
		merged = loader.MergeMaps(merged, mapping)
		repeated = append(repeated, duplicates(string(document))...)
	}
}

var linePattern = regexp.MustCompile(`line (\d{1,9})`)

// place returns the line that a YAML error names, without the text that is there.
func place(err error, document int) string {
	found := linePattern.FindStringSubmatch(err.Error())
	switch {
	case found == nil:
		return ""
	case document > 1:
		return fmt.Sprintf(": line %s of document %d", found[1], document)
	}
	return ": line " + found[1]
}
