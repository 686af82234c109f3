package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// crdSizes are the bytes of the CRDs in Calico v3.32.1's operator-crds.yaml,
// from the smallest to the largest: 32 with 3 MB, half of it in one.
var crdSizes = []int{
	994, 1027, 1049, 1152, 1185, 1245, 1356, 1939, 2568, 2601, 3766, 4388, 4998, 5271, 5810, 7517,
	10244, 10672, 19150, 19414, 20661, 20925, 22737, 28589, 68937, 85374, 122353, 122405, 233427, 284302,
	465824, 1464891,
}

const (
	// generatedGroup is the API group of the generated CRDs.
	generatedGroup = "operator.example.com"
	// sectionFields is how many fields one object in a generated schema has.
	sectionFields = 40
)

// The kinds that the rest of the generated bundle speaks of, by their place in
// crdSizes. The others are numbered.
var generatedKinds = map[int]string{0: "OperatorStatus", len(crdSizes) - 1: "Installation"}

// generate returns a bundle that is as large as Calico v3.32.1 and has its
// shape. It is the same every time.
func generate() *bundle {
	b := &bundle{
		files: map[string][]byte{
			"operator-crds.yaml":    generateCRDs(),
			"operator.yaml":         []byte(generatedOperator),
			"custom-resources.yaml": []byte(generatedResources),
		},
		origin: fmt.Sprintf("a generated bundle: %d CRDs with the sizes of Calico v%s, an operator and custom resources",
			len(crdSizes), catalogueVersion),
	}
	phases := []v1alpha1.Phase{
		b.phase("crds", "operator-crds.yaml"),
		b.phase("operator", "operator.yaml"),
		b.phase("resources", "custom-resources.yaml"),
	}
	phases[2].ReadyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: generatedGroup + "/v1", Kind: "OperatorStatus", Name: "default"},
		Expression: "self.status.conditions.exists(c, c.type == 'Available' && c.status == 'True')",
	}}
	b.object = &v1alpha1.Bundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "generated"},
		Spec:       v1alpha1.BundleSpec{Releases: []v1alpha1.Release{{Version: "1.0.0", Phases: phases}}},
	}
	return b
}

// phase returns a phase with that file as its source.
func (b *bundle) phase(name, file string) v1alpha1.Phase {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(b.files[file]))
	return v1alpha1.Phase{Name: name, Sources: []v1alpha1.Source{{
		HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com/" + file, Digest: v1alpha1.Digest(digest)},
	}}}
}

func generateCRDs() []byte {
	var out bytes.Buffer
	for i, size := range crdSizes {
		kind, numbered := generatedKinds[i], fmt.Sprintf("Kind%02d", i)
		if kind == "" {
			kind = numbered
		}
		out.WriteString(generateCRD(kind, size))
	}
	return out.Bytes()
}

// generateCRD returns a CRD of that many bytes: fields until no further one has
// room, and the rest in the description.
func generateCRD(kind string, size int) string {
	plural := strings.ToLower(kind) + "s"
	before := fmt.Sprintf(crdHead, plural, generatedGroup, kind, plural, strings.ToLower(kind))
	left := size - len(before) - len(crdMiddle)
	var fields strings.Builder
	for i := 0; ; i++ {
		text := ""
		if i%sectionFields == 0 {
			text = fmt.Sprintf(crdSection, i/sectionFields)
		}
		text += fmt.Sprintf(crdField, i, kind, i)
		if fields.Len()+len(text) > left {
			break
		}
		fields.WriteString(text)
	}
	return before + strings.Repeat("x", max(0, left-fields.Len())) + crdMiddle + fields.String()
}

// crdHead ends within the description; crdMiddle follows it. A spec may have any
// field, so that one without described ones is valid, too. In Calico's file half
// of the bytes are indentation and a field takes 485 bytes: so it is here, since
// it decides how much the API server has to do.
const (
	crdHead = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %s.%s
spec:
  group: ` + generatedGroup + `
  names: {kind: %[3]s, listKind: %[3]sList, plural: %[4]s, singular: %[5]s}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        description: A generated kind. `

	crdMiddle = `
        properties:
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            properties:
              enabled: {type: boolean}
`
	crdSection = `              section%04d:
                type: object
                properties:
`
	crdField = `                                        field%05d:
                                          description: |-
                                            What the operator does about this field of %s, in a text as long as
                                            those that describe the types of Kubernetes, of which most of Calico's
                                            own consist. It is the one with number %05d, so no two are the same.
                                          type: string
`
)

const generatedOperator = `apiVersion: v1
kind: Namespace
metadata: {name: example-operator}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: example-operator}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: example-operator}
rules:
- apiGroups: [` + generatedGroup + `]
  resources: ["*"]
  verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: example-operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: example-operator}
subjects:
- {kind: ServiceAccount, name: operator, namespace: example-operator}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: example-operator}
spec:
  replicas: 1
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec:
      serviceAccountName: operator
      containers:
      - {name: operator, image: "example.com/operator:v1.0.0"}
`

const generatedResources = `apiVersion: ` + generatedGroup + `/v1
kind: Installation
metadata: {name: default}
spec: {section0000: {field00000: "on"}}
---
apiVersion: ` + generatedGroup + `/v1
kind: Kind30
metadata: {name: default}
spec: {enabled: true}
`
