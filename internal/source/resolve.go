package source

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Config configures a Resolver. All fields are required.
type Config struct {
	// Sources opens files on web servers and in the image.
	Sources *fetch.Sources
	// Registries reads artifacts.
	Registries *oci.Client
	// Objects reads ConfigMaps and Secrets of the management cluster, without a cache.
	Objects client.Reader
	// Renderings keeps what charts with random functions rendered to for a Cluster.
	Renderings rendered.Secrets
	// Kubernetes is the version that charts are rendered for where there is no
	// cluster: for the status of a Bundle.
	Kubernetes string
	// Store keeps what it takes to resolve a source again without a download.
	Store *store.Store
	// Children renders charts.
	Children *child.Runner
	// Settings hold until Configure is called.
	Settings Settings
}

// Settings are what can change while a Resolver is used.
type Settings struct {
	// Charts bounds what a chart may need. Required.
	Charts helm.Limits
	// SecretTypes are those of the Secrets that a source may name.
	SecretTypes SecretTypes
	// Signers are whom the manager trusts: then every source has to be an artifact that
	// one of them signed. Nil where signatures are not required.
	Signers *signature.Signers
}

// Resolver resolves sources. It is safe for concurrent use.
type Resolver struct {
	Config
	current atomic.Pointer[Settings]
}

// New returns a Resolver, or an error when a required field of cfg is missing.
func New(cfg Config) (*Resolver, error) {
	if cfg.Sources == nil || cfg.Registries == nil || cfg.Objects == nil || cfg.Kubernetes == "" || cfg.Store == nil ||
		cfg.Renderings.Reader == nil || cfg.Renderings.Creator == nil || cfg.Children == nil || cfg.Settings.Charts == (helm.Limits{}) {
		return nil, errors.New(
			"sources: Sources, Registries, Objects, Renderings, Kubernetes, Store, Children and Settings.Charts are required")
	}
	r := &Resolver{Config: cfg}
	r.Configure(cfg.Settings)
	return r, nil
}

// Configure has other settings hold from the next source on.
func (r *Resolver) Configure(settings Settings) { r.current.Store(&settings) }

// Resolve returns the parts that a source has now. Its errors name the source.
func (r *Resolver) Resolve(ctx context.Context, query Query) ([]Part, error) {
	if err := r.unsigned(query.Source); err != nil {
		return nil, err
	}
	if err := checkPlain(query.Source); err != nil {
		return nil, fault.Wrap(r.Describe(query.Source), err)
	}
	switch src := query.Source; {
	case src.OCI != nil:
		return r.oci(ctx, query.Namespace, *src.OCI)
	case src.Helm != nil:
		return r.helm(ctx, query)
	case src.ConfigMap != nil:
		return r.configMap(ctx, query.Namespace, *src.ConfigMap)
	case src.Secret != nil:
		return r.secret(ctx, query.Namespace, *src.Secret)
	}
	return nil, fault.Stall(v1alpha1.SourceInvalidReason, errors.New("the source is of no kind that is known"))
}

// Describe returns where a source is, in full but without secrets.
func (r *Resolver) Describe(src v1alpha1.Source) string {
	switch {
	case src.OCI != nil:
		return referenceOf(*src.OCI).String()
	case src.Helm != nil:
		return describeChart(*src.Helm)
	case src.ConfigMap != nil:
		return "ConfigMap " + src.ConfigMap.Name
	case src.Secret != nil:
		return "Secret " + src.Secret.Name
	}
	return fetch.Describe(src)
}

// describeChart names a chart.
func describeChart(src v1alpha1.HelmSource) string {
	return strings.Join(strings.Fields("chart "+chartAddress(src)+" "+src.Version), " ")
}

// chartAddress returns where a chart is without the userinfo that its URL may have;
// nothing if it is no URL.
func chartAddress(src v1alpha1.HelmSource) string {
	at, err := url.Parse(src.Chart)
	if err != nil {
		return ""
	}
	at.User = nil
	return at.String()
}
