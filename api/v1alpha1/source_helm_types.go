package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

// HelmSource is a Helm chart. It is rendered once for each minor version of
// Kubernetes, and not for each Cluster unless randomFunctions says so.
// +kubebuilder:validation:XValidation:rule="has(self.digest) || !(self.chart.startsWith('http://') || self.chart.startsWith('oci://') && has(self.insecure) && self.insecure)",message="without TLS (http://, or oci:// with insecure) a chart needs its digest: anybody on the way could choose what a version is"
// +kubebuilder:validation:XValidation:rule="!has(self.secretRef) && !has(self.caRef) || !(self.chart.startsWith('http://') || self.chart.startsWith('oci://') && has(self.insecure) && self.insecure)",message="secretRef and caRef need TLS: credentials are not sent without it"
type HelmSource struct {
	// chart is oci:// and a repository, or the https URL of a chart archive
	// (.tgz), or the https URL of a chart repository and the chart's name, for
	// example https://charts.example.com/logging-operator.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^((oci|https)://[^/?#]+|http://[^/?#@]+)/[^?#]+$`
	Chart string `json:"chart,omitempty"`

	// version of the chart, exactly.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// digest of the chart archive. With one, what is published under the version
	// cannot change unnoticed. A chart that is fetched without TLS needs it.
	// +optional
	Digest Digest `json:"digest,omitempty"`

	// values of the chart, over its defaults and over valuesFrom.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom are ConfigMaps and Secrets in the namespace of the Bundle with
	// values, the later over the earlier. The Secrets are of the type
	// addons.cluster.x-k8s.io/resource-set, or have the label
	// addons.cluster.x-k8s.io/source: "true".
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// releaseName is .Release.Name in the templates.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	ReleaseName string `json:"releaseName,omitempty"`

	// namespace is .Release.Namespace in the templates, and that of the objects
	// that name none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// createNamespace is true if the namespace is made in a workload cluster that does
	// not have it. One that is there, and one that a source of any phase of the release
	// brings, is left as it is. Default false.
	// +optional
	CreateNamespace *bool `json:"createNamespace,omitempty"`

	// includeCRDs is true if the CustomResourceDefinitions in the chart's crds folder
	// are delivered. Default true.
	// +optional
	// +kubebuilder:default=true
	IncludeCRDs *bool `json:"includeCRDs,omitempty"`

	// apiVersions are found in .Capabilities.APIVersions by the templates: groups and
	// versions, such as monitoring.coreos.com/v1, or with a kind behind them, such as
	// monitoring.coreos.com/v1/ServiceMonitor. They are beside those of Kubernetes and
	// those of CustomResourceDefinitions in the chart's crds folder, in earlier phases,
	// and in those sources of this phase that are no charts or stand before this one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=382
	// +kubebuilder:validation:items:Pattern=`^([a-z0-9.-]+/)?v[a-z0-9]+(/[A-Za-z0-9]+)?$`
	APIVersions []string `json:"apiVersions,omitempty"`

	// hooks defines what happens to the chart's hooks: Apply (default) applies those for
	// an installation with the first release of a set on a Cluster, and those for an
	// upgrade with a release behind one that was complete; Refuse refuses a chart with
	// such hooks. Hooks for tests, deletions and rollbacks are always left out.
	// +optional
	// +kubebuilder:default=Apply
	Hooks HookPolicy `json:"hooks,omitempty"`

	// randomFunctions defines what happens to functions whose result differs from call to
	// call, such as genCA, randAlphaNum and now: Refuse (default) refuses a chart whose
	// templates call one. With PerCluster the chart is rendered for each Cluster once, and
	// the result is kept in a Secret beside the Cluster: no Cluster has the certificates of
	// another, and none gets others before the chart, its values or this source change.
	// +optional
	// +kubebuilder:default=Refuse
	RandomFunctions RandomFunctions `json:"randomFunctions,omitempty"`

	// secretRef names a Secret with credentials for the server of the chart: for
	// oci:// as in an oci source, else as in an https source. The index of a chart
	// repository is read with them, and a chart that is on the same server; never a
	// chart that the index has elsewhere.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// caRef names a Secret with the key ca.crt: the authorities that the server of the
	// chart is verified with, in place of the system's.
	// +optional
	CARef LocalReference `json:"caRef,omitzero"`

	// insecure is true for a chart in a registry that speaks plain HTTP. It then needs its
	// digest, and no credentials are sent.
	// +optional
	Insecure *bool `json:"insecure,omitempty"`

	// verify defines whose signature a chart in a registry must have. Default:
	// verify of the Bundle.
	// +optional
	Verify *Verify `json:"verify,omitempty"`
}

// HookPolicy defines what happens to the hooks of a Helm chart.
// +kubebuilder:validation:Enum=Refuse;Apply
type HookPolicy string

const (
	// RefuseHooks refuses a chart that has hooks for an installation or an upgrade.
	RefuseHooks HookPolicy = "Refuse"

	// ApplyHooks applies hooks by their event, and removes them by their delete policy.
	ApplyHooks HookPolicy = "Apply"
)

// RandomFunctions defines what happens to functions of a Helm chart whose result differs
// from call to call.
// +kubebuilder:validation:Enum=Refuse;PerCluster
type RandomFunctions string

const (
	// RefuseRandomFunctions refuses a chart whose templates call one.
	RefuseRandomFunctions RandomFunctions = "Refuse"

	// PerClusterRandomFunctions renders the chart for each Cluster once.
	PerClusterRandomFunctions RandomFunctions = "PerCluster"
)

// ValuesReference names a ConfigMap or a Secret with values of a Helm chart.
type ValuesReference struct {
	// kind is ConfigMap or Secret.
	// +required
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind,omitempty"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key with the values as YAML. Default values.yaml.
	// +optional
	// +kubebuilder:default=values.yaml
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}
