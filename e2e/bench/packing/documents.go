package packing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// document is one object of a file.
type document struct {
	// text is as it was published, and json the same without white space.
	text, json []byte
	kind, name string
}

func (d document) isDefinition() bool { return d.kind == "CustomResourceDefinition" }

// read returns the objects of files in their order.
func read(files []string) ([]document, error) {
	var all []document
	for _, file := range files {
		some, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no objects in %v", files)
	}
	return all, nil
}

func readFile(path string) (all []document, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		d, err := newDocument(text)
		if err != nil {
			return nil, err
		}
		if d.kind != "" {
			all = append(all, d)
		}
	}
}

func newDocument(text []byte) (document, error) {
	compact, err := yaml.YAMLToJSON(text)
	if err != nil {
		return document{}, err
	}
	object := metav1.PartialObjectMetadata{}
	if string(compact) == "null" { // nothing but comments
		return document{}, nil
	}
	if err := json.Unmarshal(compact, &object); err != nil {
		return document{}, err
	}
	return document{text: text, json: compact, kind: object.Kind, name: object.Name}, nil
}
