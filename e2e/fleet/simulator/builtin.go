package simulator

import (
	_ "embed" // what a kube-apiserver v1.36.3 says of its kinds
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// What a real API server answers to /api and /apis. The conformance test fails when it
// answers something else.
var (
	//go:embed builtin/api.json
	coreDiscovery []byte
	//go:embed builtin/apis.json
	groupsDiscovery []byte
)

// builtIns are the kinds that every cluster serves.
type builtIns struct {
	core, named *apidiscoveryv2.APIGroupDiscoveryList
	groups      map[string]bool
	resources   map[schema.GroupVersionResource]*resource
}

// theBuiltIns are read once for all fleets.
var theBuiltIns = sync.OnceValue(func() *builtIns {
	b := &builtIns{
		core: decodeDiscovery(coreDiscovery), named: decodeDiscovery(groupsDiscovery),
		groups:    make(map[string]bool),
		resources: make(map[schema.GroupVersionResource]*resource),
	}
	for _, group := range slices.Concat(b.core.Items, b.named.Items) {
		b.groups[group.Name] = true
		for _, version := range group.Versions {
			for _, found := range version.Resources {
				r := resourceOf(group.Name, version.Version, found)
				r.hasGeneration = generations[r.kind]
				r.manageFields(func() (managedfields.TypeConverter, error) { return converterFor(r) })
				b.resources[schema.GroupVersionResource{Group: r.group, Version: r.version, Resource: r.plural}] = r
			}
		}
	}
	return b
})

func decodeDiscovery(content []byte) *apidiscoveryv2.APIGroupDiscoveryList {
	list := &apidiscoveryv2.APIGroupDiscoveryList{}
	if err := json.Unmarshal(content, list); err != nil {
		panic(fmt.Sprintf("embedded discovery: %v", err))
	}
	return list
}

// resourceOf returns a resource as discovery has it.
func resourceOf(group, version string, found apidiscoveryv2.APIResourceDiscovery) *resource {
	return &resource{
		group: group, version: version, plural: found.Resource, kind: found.ResponseKind.Kind,
		namespaced: found.Scope == apidiscoveryv2.ScopeNamespace,
		isStored:   slices.Contains(found.Verbs, "list"),
		hasStatus: slices.ContainsFunc(found.Subresources, func(s apidiscoveryv2.APISubresourceDiscovery) bool {
			return s.Subresource == "status"
		}),
	}
}

// generations are the built-in kinds whose objects count the changes of their spec.
var generations = map[string]bool{
	"CustomResourceDefinition": true,
	"Deployment":               true, "DaemonSet": true, "StatefulSet": true, "ReplicaSet": true,
	"ReplicationController": true, "Job": true, "CronJob": true, "Pod": true,
	"Ingress": true, "IngressClass": true, "NetworkPolicy": true, "PodDisruptionBudget": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"FlowSchema": true, "PriorityLevelConfiguration": true, "PriorityClass": true,
	"EndpointSlice": true,
}

// definitionSchemas returns the schemas of CustomResourceDefinitions, which are not among
// those of client-go.
var definitionSchemas = sync.OnceValues(func() (managedfields.TypeConverter, error) {
	const models = "#/components/schemas/"
	schemas := make(map[string]*spec.Schema)
	for name, model := range openapi.GetOpenAPIDefinitions(func(path string) spec.Ref { return spec.MustCreateRef(models + path) }) {
		schemas[name] = &model.Schema
	}
	kind := apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	schemas[apiextensionsv1.CustomResourceDefinition{}.OpenAPIModelName()].AddExtension("x-kubernetes-group-version-kind",
		[]any{map[string]any{"group": kind.Group, "version": kind.Version, "kind": kind.Kind}})
	return managedfields.NewTypeConverter(schemas, false)
})

// converterFor returns the schemas of a built-in kind. API services, which no client
// library has, are taken as they come.
func converterFor(r *resource) (managedfields.TypeConverter, error) {
	switch {
	case r.storage() == definitions:
		return definitionSchemas()
	case scheme.Scheme.Recognizes(r.groupVersion().WithKind(r.kind)):
		return applyconfigurations.NewTypeConverter(scheme.Scheme), nil
	}
	return managedfields.NewDeducedTypeConverter(), nil
}
