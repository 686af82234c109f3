package test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// editable is a release of a kind, an object of it that has its images from a registry, a
// PodTemplate, and a ConfigMap that an edge does without. NAME is that of the namespace.
const editable = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.NAME.example.org}
spec:
  group: NAME.example.org
  scope: Cluster
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: of a thing
        properties:
          spec:
            type: object
            description: of its spec
            properties:
              description: {type: string, description: of its description}
              registry: {type: string}
---
apiVersion: NAME.example.org/v1
kind: Thing
metadata: {name: NAME}
spec: {description: stays}
---
apiVersion: v1
kind: PodTemplate
metadata: {namespace: default, name: NAME}
template: {spec: {containers: [{name: main, image: "calico/node:v3"}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: default, name: NAME-extra}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: default, name: NAME-always}
`

// editableRelease says how it can be edited.
func (s *scenario) editableRelease() v1alpha1.Release {
	r := release("1.0.0", phase("all", inline(strings.ReplaceAll(editable, "NAME", s.namespace))))
	r.Images = []v1alpha1.ImageLocation{{
		APIVersion: s.namespace + ".example.org/v1", Kind: "Thing", Path: ".spec.registry",
		Type: v1alpha1.ImageLocationRegistry, Default: "docker.io",
	}}
	r.Components = []v1alpha1.Component{
		{Name: "extra", Objects: []v1alpha1.ComponentObjects{{Kind: "ConfigMap", Name: s.namespace + "-extra"}}},
	}
	return r
}

// readyWith returns the condition Ready of a ClusterBundle once it is about its spec, and
// that has the edits.
func (s *scenario) readyWith(name string, edits v1alpha1.Edits) func() string {
	cb := s.named(name)
	state := s.state(cb, v1alpha1.ReadyCondition)
	return func() string {
		ready := state()
		if cb.Status.ObservedGeneration != cb.Generation || !equality.Semantic.DeepEqual(cb.Spec.Edits, edits) {
			return "not yet"
		}
		return ready
	}
}

// imagesOfEditable returns where the objects have their images from.
func (s *scenario) imagesOfEditable(w *testenv.Workload) [2]string {
	s.t.Helper()
	template, err := s.live(w, "v1", "PodTemplate", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	containers, _, _ := unstructured.NestedSlice(template.Object, "template", "spec", "containers")
	thing, err := s.live(w, s.namespace+".example.org/v1", "Thing", "", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	registry, _, _ := unstructured.NestedString(thing.Object, "spec", "registry")
	image, _ := containers[0].(map[string]any)["image"].(string)
	return [2]string{image, registry}
}

// schemaOfEditable returns the schema of the kind.
func (s *scenario) schemaOfEditable(w *testenv.Workload) map[string]any {
	s.t.Helper()
	crd, err := s.live(w, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things."+s.namespace+".example.org")
	s.Expect(err).NotTo(HaveOccurred())
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	schema, _, _ := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema")
	return schema
}

// hasExtra reports whether the object of the component is there.
func (s *scenario) hasExtra(w *testenv.Workload) bool {
	s.t.Helper()
	_, err := s.live(w, "v1", "ConfigMap", "default", s.namespace+"-extra")
	if !apierrors.IsNotFound(err) {
		s.Expect(err).NotTo(HaveOccurred())
	}
	return err == nil
}

func TestASetEditsWhatItsClustersGet(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	edge := v1alpha1.Edits{
		ImageRegistries: []v1alpha1.ImageRegistry{{From: "docker.io", To: "one.example.com/hub"}},
		Components:      []v1alpha1.ComponentChoice{{Name: "extra", Enabled: new(false)}},
		CRDDescriptions: v1alpha1.StripCRDDescriptions,
	}
	s.bundle("things", s.editableRelease())
	set := s.set("things", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Edits = edge })
	seen := testenv.NewProxy(t, workload.APIServer)
	s.cluster("riga", "things", seen)
	s.Eventually(s.readyWith("things-riga", edge)).Should(Equal(isReady))
	s.Expect(s.imagesOfEditable(workload)).To(Equal([2]string{"one.example.com/hub/calico/node:v3", "one.example.com/hub"}))
	s.Expect(s.hasExtra(workload)).To(BeFalse())
	s.Expect(s.schemaOfEditable(workload)).To(Equal(map[string]any{
		"type": "object", "properties": map[string]any{"spec": map[string]any{
			"type": "object", "properties": map[string]any{
				"description": map[string]any{"type": "string"}, "registry": map[string]any{"type": "string"},
			},
		}},
	}))
	thing, err := s.live(workload, s.namespace+".example.org/v1", "Thing", "", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())

	seen.Reset()
	edge.ImageRegistries[0].To = "two.example.com"
	s.change(set, func() { set.Spec.Edits = *edge.DeepCopy() })
	s.Eventually(s.readyWith("things-riga", edge)).Should(Equal(isReady))
	s.Expect(s.imagesOfEditable(workload)).To(Equal([2]string{"two.example.com/calico/node:v3", "two.example.com"}))
	s.Expect(s.objectsWrittenIn(seen)).To(ConsistOf("podtemplates "+s.namespace, "things "+s.namespace),
		"only what differs is applied again")

	whole := v1alpha1.Edits{CRDDescriptions: v1alpha1.KeepCRDDescriptions}
	s.change(set, func() { set.Spec.Edits = whole })
	s.Eventually(s.readyWith("things-riga", whole)).Should(Equal(isReady))
	s.Expect(s.imagesOfEditable(workload)).To(Equal([2]string{"calico/node:v3", ""}), "as it was published")
	s.Expect(s.hasExtra(workload)).To(BeTrue())
	s.Expect(s.schemaOfEditable(workload)).To(HaveKeyWithValue("description", "of a thing"))
	same, err := s.live(workload, s.namespace+".example.org/v1", "Thing", "", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(same.GetUID()).To(Equal(thing.GetUID()), "no object is lost with the schema")

	s.change(set, func() { set.Spec.Edits = *edge.DeepCopy() })
	s.Eventually(s.readyWith("things-riga", edge)).Should(Equal(isReady))
	s.Expect(s.hasExtra(workload)).To(BeFalse(), "what is turned off is pruned")

	mistyped := *edge.DeepCopy()
	mistyped.Components[0].Name = "extras"
	s.change(set, func() { set.Spec.Edits = mistyped })
	s.Eventually(s.readyWith("things-riga", mistyped)).Should(Equal(
		`False EditInvalid: components: the release has no component "extras", it has: extra`))
	s.Expect(s.imagesOfEditable(workload)).To(Equal([2]string{"two.example.com/calico/node:v3", "two.example.com"}),
		"what is there stays")
}

// objectsWrittenIn returns the members that a proxy saw written, each once.
func (s *scenario) objectsWrittenIn(p *testenv.Proxy) []string {
	var written []string
	for _, r := range p.Writes() {
		if !strings.HasPrefix(r.Name, "caapb.") {
			written = append(written, r.Resource+" "+r.Name)
		}
	}
	slices.Sort(written)
	return slices.Compact(written)
}
