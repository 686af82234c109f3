package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// Release is one version of a bundle: files with YAML, in phases.
type Release struct {
	// Bundle and Version, such as calico and 3.32.1.
	Bundle, Version string
	// Phases in their order: what defines kinds comes before what uses them.
	Phases []Phase
}

// Phase is a part of a release that needs the parts before it.
type Phase struct {
	// Name is a DNS label, unique in the release.
	Name string
	// Files are the paths of files with YAML documents. The paths are absolute, and
	// the last elements differ within a release.
	Files []string
}

// Name of the release, such as calico-3.32.1.
func (r *Release) Name() string { return r.Bundle + "-" + r.Version }

// Object is an object of a release.
type Object struct {
	unstructured.Unstructured

	// Phase is the index of its phase.
	Phase int
	// Source is the document as it was published.
	Source []byte
	// Compact is the object as compact JSON, which is also valid as the body of a
	// server-side apply.
	Compact []byte
}

// IsDefinition reports whether the object is a CustomResourceDefinition.
func (o *Object) IsDefinition() bool { return o.GetKind() == "CustomResourceDefinition" }

// Key identifies the object in a cluster.
func (o *Object) Key() string {
	return keyOf(o.GroupVersionKind().GroupKind(), o.GetNamespace(), o.GetName())
}

// Objects reads all objects of the release, in the order of the files.
func (r *Release) Objects() ([]*Object, error) {
	var objects []*Object
	for i, phase := range r.Phases {
		for _, file := range phase.Files {
			of, err := readObjects(file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			for _, o := range of {
				o.Phase = i
			}
			objects = append(objects, of...)
		}
	}
	return objects, nil
}

func readObjects(file string) ([]*Object, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var objects []*Object
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		o, err := readObject(document)
		if err != nil {
			return nil, err
		}
		if o != nil {
			objects = append(objects, o)
		}
	}
}

// readObject returns nil for a document that has only comments.
func readObject(document []byte) (*Object, error) {
	content, err := sigsyaml.YAMLToJSON(document)
	if err != nil || bytes.Equal(content, []byte("null")) {
		return nil, err
	}
	o := &Object{Source: document, Compact: content}
	return o, json.Unmarshal(content, &o.Unstructured)
}
