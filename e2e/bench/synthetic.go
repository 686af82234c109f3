package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The synthetic bundle: 20 MB of YAML. Two thirds are CRDs of the shape of Calico's, where
// half of the bytes are indentation and each field has a description.
const (
	syntheticGroup       = "synthetic.example.com"
	syntheticDefinitions = 60
	syntheticSections    = 14
	syntheticFields      = 27
	syntheticConfigMaps  = 60
	syntheticLines       = 1000
	syntheticInstances   = 10
)

// writeSynthetic writes the bundle, which is the same every time, to a folder.
func writeSynthetic(dir string) (*Release, error) {
	r := &Release{Bundle: "synthetic", Version: "1.0.0"}
	for _, phase := range []struct{ name, content string }{
		{"crds", syntheticCRDs()}, {"operator", syntheticOperator()}, {"resources", syntheticResources()},
	} {
		file := filepath.Join(dir, "synthetic-"+phase.name+".yaml")
		if err := os.WriteFile(file, []byte(phase.content), 0o600); err != nil {
			return nil, err
		}
		r.Phases = append(r.Phases, Phase{Name: phase.name, Files: []string{file}})
	}
	return r, nil
}

const syntheticCRD = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: kind%02[1]ds.` + syntheticGroup + `
spec:
  group: ` + syntheticGroup + `
  names: {kind: Kind%02[1]d, listKind: Kind%02[1]dList, plural: kind%02[1]ds, singular: kind%02[1]d}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
`

const syntheticField = `                  field%02d:
                    description: |-
                      Field %02d of section %02d of kind %02d says what the operator does with that part of
                      what it manages, and what it does where nothing is said here. It may be empty. Where it
                      is not, it takes effect as soon as the operator has seen it, and what was there before
                      goes. See the documentation of the operator for what may be in it, and for examples.
                    type: string
                    minLength: 0
                    maxLength: 4096
`

func syntheticCRDs() string {
	var out strings.Builder
	for kind := range syntheticDefinitions {
		fmt.Fprintf(&out, syntheticCRD, kind)
		for section := range syntheticSections {
			fmt.Fprintf(&out, "              section%02d:\n                type: object\n                properties:\n", section)
			for field := range syntheticFields {
				fmt.Fprintf(&out, syntheticField, field, field, section, kind)
			}
		}
	}
	return out.String()
}

const syntheticHead = `apiVersion: v1
kind: Namespace
metadata: {name: synthetic}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: synthetic}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: synthetic-operator}
rules:
- {apiGroups: [` + syntheticGroup + `], resources: ["*"], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: synthetic-operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: synthetic-operator}
subjects:
- {kind: ServiceAccount, name: operator, namespace: synthetic}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: synthetic}
spec:
  replicas: 1
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec:
      serviceAccountName: operator
      containers:
      - {name: operator, image: example.com/operator:1.0.0}
`

func syntheticOperator() string {
	var out strings.Builder
	out.WriteString(syntheticHead)
	for i := range syntheticConfigMaps {
		fmt.Fprintf(&out, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-%02d, namespace: synthetic}\ndata:\n  dashboard.json: |\n", i)
		for line := range syntheticLines {
			fmt.Fprintf(&out, "    {\"map\": %02d, \"line\": %04d, \"title\": \"a panel of a dashboard\", \"query\": \"sum(rate(requests_total[5m]))\"}\n", i, line)
		}
	}
	return out.String()
}

func syntheticResources() string {
	var out strings.Builder
	for i := range syntheticInstances {
		fmt.Fprintf(&out, "---\napiVersion: %s/v1\nkind: Kind%02d\nmetadata: {name: default}\nspec: {section00: {field00: value}}\n", syntheticGroup, i)
	}
	return out.String()
}
