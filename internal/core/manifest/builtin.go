package manifest

import "strings"

// Resource identifies the API path of the objects of a kind.
type Resource struct {
	// Group is the API group, empty for the core group.
	Group string `json:"group,omitempty"`
	// Version is the version of the group.
	Version string `json:"version"`
	// Plural is the name of the resource in paths.
	Plural string `json:"plural"`
	// Namespaced is true for objects that live in namespaces.
	Namespaced bool `json:"namespaced,omitempty"`
}

// BuiltIn returns the resource of a kind that comes with Kubernetes, in a
// version that is generally available. It does not know preview versions, which
// clusters need not serve, nor kinds that are never stored, such as
// TokenReview.
func BuiltIn(group, version, kind string) (Resource, bool) {
	b, ok := builtIns[[2]string{group, kind}]
	if !ok || !strings.Contains(" "+b.versions+" ", " "+version+" ") {
		return Resource{}, false
	}
	return Resource{Group: group, Version: version, Plural: b.plural, Namespaced: b.namespaced}, true
}

// IsBuiltIn reports whether a kind comes with Kubernetes, in any version.
func IsBuiltIn(group, kind string) bool {
	_, ok := builtIns[[2]string{group, kind}]
	return ok
}

type builtIn struct {
	plural     string
	namespaced bool
	// versions are the generally available ones, separated by spaces.
	versions string
}

const (
	namespaced = true
	cluster    = false
)

// builtIns holds the kinds of Kubernetes by group and kind.
var builtIns = map[[2]string]builtIn{
	{"", "ConfigMap"}:             {"configmaps", namespaced, "v1"},
	{"", "Endpoints"}:             {"endpoints", namespaced, "v1"},
	{"", "Event"}:                 {"events", namespaced, "v1"},
	{"", "LimitRange"}:            {"limitranges", namespaced, "v1"},
	{"", "Namespace"}:             {"namespaces", cluster, "v1"},
	{"", "Node"}:                  {"nodes", cluster, "v1"},
	{"", "PersistentVolume"}:      {"persistentvolumes", cluster, "v1"},
	{"", "PersistentVolumeClaim"}: {"persistentvolumeclaims", namespaced, "v1"},
	{"", "Pod"}:                   {"pods", namespaced, "v1"},
	{"", "PodTemplate"}:           {"podtemplates", namespaced, "v1"},
	{"", "ReplicationController"}: {"replicationcontrollers", namespaced, "v1"},
	{"", "ResourceQuota"}:         {"resourcequotas", namespaced, "v1"},
	{"", "Secret"}:                {"secrets", namespaced, "v1"},
	{"", "Service"}:               {"services", namespaced, "v1"},
	{"", "ServiceAccount"}:        {"serviceaccounts", namespaced, "v1"},

	{"admissionregistration.k8s.io", "MutatingAdmissionPolicy"}: {
		"mutatingadmissionpolicies", cluster, "v1"},
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"}: {
		"mutatingadmissionpolicybindings", cluster, "v1"},
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration"}: {
		"mutatingwebhookconfigurations", cluster, "v1"},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy"}: {
		"validatingadmissionpolicies", cluster, "v1"},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"}: {
		"validatingadmissionpolicybindings", cluster, "v1"},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration"}: {
		"validatingwebhookconfigurations", cluster, "v1"},

	{"apiextensions.k8s.io", "CustomResourceDefinition"}: {"customresourcedefinitions", cluster, "v1"},
	{"apiregistration.k8s.io", "APIService"}:             {"apiservices", cluster, "v1"},

	{"apps", "ControllerRevision"}: {"controllerrevisions", namespaced, "v1"},
	{"apps", "DaemonSet"}:          {"daemonsets", namespaced, "v1"},
	{"apps", "Deployment"}:         {"deployments", namespaced, "v1"},
	{"apps", "ReplicaSet"}:         {"replicasets", namespaced, "v1"},
	{"apps", "StatefulSet"}:        {"statefulsets", namespaced, "v1"},

	{"autoscaling", "HorizontalPodAutoscaler"}: {"horizontalpodautoscalers", namespaced, "v1 v2"},

	{"batch", "CronJob"}: {"cronjobs", namespaced, "v1"},
	{"batch", "Job"}:     {"jobs", namespaced, "v1"},

	{"certificates.k8s.io", "CertificateSigningRequest"}: {"certificatesigningrequests", cluster, "v1"},
	{"coordination.k8s.io", "Lease"}:                     {"leases", namespaced, "v1"},
	{"discovery.k8s.io", "EndpointSlice"}:                {"endpointslices", namespaced, "v1"},
	{"events.k8s.io", "Event"}:                           {"events", namespaced, "v1"},

	{"flowcontrol.apiserver.k8s.io", "FlowSchema"}: {"flowschemas", cluster, "v1"},
	{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"}: {
		"prioritylevelconfigurations", cluster, "v1"},

	{"networking.k8s.io", "Ingress"}:       {"ingresses", namespaced, "v1"},
	{"networking.k8s.io", "IngressClass"}:  {"ingressclasses", cluster, "v1"},
	{"networking.k8s.io", "IPAddress"}:     {"ipaddresses", cluster, "v1"},
	{"networking.k8s.io", "NetworkPolicy"}: {"networkpolicies", namespaced, "v1"},
	{"networking.k8s.io", "ServiceCIDR"}:   {"servicecidrs", cluster, "v1"},

	{"node.k8s.io", "RuntimeClass"}:   {"runtimeclasses", cluster, "v1"},
	{"policy", "PodDisruptionBudget"}: {"poddisruptionbudgets", namespaced, "v1"},

	{"rbac.authorization.k8s.io", "ClusterRole"}:        {"clusterroles", cluster, "v1"},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding"}: {"clusterrolebindings", cluster, "v1"},
	{"rbac.authorization.k8s.io", "Role"}:               {"roles", namespaced, "v1"},
	{"rbac.authorization.k8s.io", "RoleBinding"}:        {"rolebindings", namespaced, "v1"},

	{"resource.k8s.io", "DeviceClass"}:           {"deviceclasses", cluster, "v1"},
	{"resource.k8s.io", "ResourceClaim"}:         {"resourceclaims", namespaced, "v1"},
	{"resource.k8s.io", "ResourceClaimTemplate"}: {"resourceclaimtemplates", namespaced, "v1"},
	{"resource.k8s.io", "ResourceSlice"}:         {"resourceslices", cluster, "v1"},

	{"scheduling.k8s.io", "PriorityClass"}: {"priorityclasses", cluster, "v1"},

	{"storage.k8s.io", "CSIDriver"}:             {"csidrivers", cluster, "v1"},
	{"storage.k8s.io", "CSINode"}:               {"csinodes", cluster, "v1"},
	{"storage.k8s.io", "CSIStorageCapacity"}:    {"csistoragecapacities", namespaced, "v1"},
	{"storage.k8s.io", "StorageClass"}:          {"storageclasses", cluster, "v1"},
	{"storage.k8s.io", "VolumeAttachment"}:      {"volumeattachments", cluster, "v1"},
	{"storage.k8s.io", "VolumeAttributesClass"}: {"volumeattributesclasses", cluster, "v1"},
}
