package test

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// sequenceReleases is how many releases the bundle of a sequence has.
const sequenceReleases = 4

// sequenceRelease is the n-th release of a bundle, from 1. Its objects are named after
// id. Some are in the Namespace <id> that the bundle brings, and some in <id>-theirs,
// which was there before. From release to release objects come and go, change, and
// move to another phase. The third has a Job, and the fourth has no Namespace.
func sequenceRelease(id string, n int) []sequencePhase {
	theirs := id + "-theirs"
	role := sequenceObject("rbac.authorization.k8s.io/v1", "ClusterRole", "", id, "same",
		"rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]")
	binding := sequenceObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", id, "same",
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+id+"}")
	account := func(content string) string { return sequenceObject("v1", "ServiceAccount", id, "operator", content) }
	service := sequenceObject("v1", "Service", id, "operator", "same", "spec: {selector: {app: operator}, ports: [{port: 443}]}")
	config := func(namespace, content string) string {
		return sequenceObject("v1", "ConfigMap", namespace, "settings", content, "data: {value: "+content+", more: same}")
	}
	widgets, gadgets := sequenceCRD(id, "Widget", "Cluster"), sequenceCRD(id, "Gadget", "Cluster")
	gizmos := sequenceCRD(id, "Gizmo", "Namespaced")
	space := sequenceObject("v1", "Namespace", "", id, "same")
	instance := func(kind, namespace, name, content string) string {
		return sequenceObject(groupOf(id)+"/v1", kind, namespace, name, content, "spec: {value: "+content+"}")
	}
	switch n {
	case 1:
		return []sequencePhase{
			{"crds", []string{widgets, gadgets}},
			{"operator", []string{
				space, account("same"), role, binding, service,
				config(id, "one"), config(theirs, "same"), sequenceDeployment(id, "one"),
			}},
			{"resources", []string{
				instance("Widget", "", "a", "same"), instance("Widget", "", "b", "one"), instance("Gadget", "", "a", "same"),
			}},
		}
	case 2: // The ConfigMap of their Namespace moves on, and the Widget b goes.
		return []sequencePhase{
			{"crds", []string{widgets, gadgets}},
			{"operator", []string{
				space, account("two"), role, binding, service, config(id, "two"), sequenceDeployment(id, "two"),
			}},
			{"resources", []string{
				config(theirs, "same"), instance("Widget", "", "a", "same"), instance("Widget", "", "c", "two"),
				instance("Gadget", "", "a", "two"),
			}},
		}
	case 3: // Gadgets and the roles go, Gizmos and a Job come, and a Widget moves forward.
		return []sequencePhase{
			{"kinds", []string{widgets, gizmos, instance("Widget", "", "a", "three")}},
			{"operator", []string{
				space, account("same"), config(id, "two"), config(theirs, "three"),
				sequenceDeployment(id, "two"), sequenceJob(theirs),
			}},
			{"resources", []string{instance("Widget", "", "b", "one"), instance("Gizmo", id, "a", "same"), instance("Gizmo", theirs, "a", "same")}},
		}
	}
	return []sequencePhase{{"all", []string{
		widgets, config(theirs, "four"), sequenceDeployment(theirs, "one"), role, instance("Widget", "", "a", "same"),
	}}}
}

// sequencePhase is a phase of a release with its manifests.
type sequencePhase struct {
	name      string
	manifests []string
}

// sequenceObject is a manifest. Its content is in an annotation; more are further lines.
func sequenceObject(apiVersion, kind, namespace, name, content string, more ...string) string {
	metadata := fmt.Sprintf("name: %s, annotations: {content: %s}", name, content)
	if namespace != "" {
		metadata += ", namespace: " + namespace
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {%s}\n%s\n", apiVersion, kind, metadata, strings.Join(more, "\n"))
}

// sequenceCRD is crd, with a content.
func sequenceCRD(id, kind, scope string) string {
	manifest := crd(groupOf(id), strings.ToLower(kind)+"s", kind)
	return strings.NewReplacer("metadata: {", "metadata: {annotations: {content: same}, ",
		"scope: Cluster", "scope: "+scope).Replace(manifest)
}

func sequenceDeployment(namespace, content string) string {
	return sequenceObject("apps/v1", "Deployment", namespace, "operator", content, `spec:
  replicas: 0
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec: {containers: [{name: operator, image: "registry.example.com/operator:`+content+`"}]}`)
}

func sequenceJob(namespace string) string {
	return sequenceObject("batch/v1", "Job", namespace, "migrate", "same", `spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: registry.example.com/migrate}]}`)
}

// versionOf is the version of the n-th release.
func versionOf(n int) string { return fmt.Sprintf("%d.0.0", n) }

// sequenceBundle returns the first n releases.
func sequenceBundle(id string, n int) []v1alpha1.Release {
	var releases []v1alpha1.Release
	for i := range n {
		var phases []v1alpha1.Phase
		for _, p := range sequenceRelease(id, i+1) {
			phases = append(phases, phase(p.name, inline(documents(p.manifests...))))
		}
		releases = append(releases, release(versionOf(i+1), phases...))
	}
	return releases
}

// objectsOf returns the objects of the n-th release by their keys.
func (q *sequence) objectsOf(n int) map[string]*unstructured.Unstructured {
	q.t.Helper()
	objects := make(map[string]*unstructured.Unstructured)
	for _, p := range sequenceRelease(q.id, n) {
		for _, manifest := range p.manifests {
			object := &unstructured.Unstructured{}
			q.Expect(yaml.Unmarshal([]byte(manifest), &object.Object)).To(Succeed())
			objects[keyOf(object)] = object
		}
	}
	return objects
}

// keyOf is the kind, the namespace and the name of an object.
func keyOf(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GroupVersionKind().GroupKind(), object.GetNamespace(), object.GetName())
}
