package testenv

import (
	"context"
	"fmt"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Management is a management cluster: an API server with the CRDs of Cluster
// API and of this project, as clusterctl labels them.
type Management struct {
	*APIServer

	capi        *process
	capiMetrics string
}

// ManagementOptions select what a management cluster runs beside its API server.
type ManagementOptions struct {
	// Controllers also runs the garbage collector and the namespace controller:
	// objects whose owner is deleted go, and Namespaces can be deleted.
	Controllers bool
	// WithoutProviders leaves the CRDs of Cluster API and of this project to
	// Clusterctl, and makes those that it looks for to find cert-manager.
	WithoutProviders bool
	// Flags are of kube-apiserver, beside the usual ones.
	Flags []string
}

// StartManagement starts a management cluster and returns when its CRDs are
// established.
func StartManagement(ctx context.Context, o ManagementOptions) (*Management, error) {
	s, err := startAPIServer(ctx, append([]string{withoutServiceAccounts}, o.Flags...)...)
	if err != nil {
		return nil, fmt.Errorf("management cluster: %w", err)
	}
	m := &Management{APIServer: s}
	if err := m.prepare(ctx, o); err != nil {
		m.Stop()
		return nil, fmt.Errorf("management cluster: %w", err)
	}
	return m, nil
}

func (m *Management) prepare(ctx context.Context, o ManagementOptions) error {
	if err := m.installCRDs(ctx, o); err != nil {
		return err
	}
	if !o.Controllers {
		return nil
	}
	return m.startControllers("garbage-collector-controller,namespace-controller")
}

// installCRDs installs the CRDs of Cluster API, of this project, and of the two
// kinds that take the place of an infrastructure and a control plane provider.
func (m *Management) installCRDs(ctx context.Context, o ManagementOptions) error {
	options := envtest.CRDInstallOptions{
		CRDs:               providerCRDs(),
		ErrorIfPathMissing: true,
		MaxTime:            startTimeout,
		PollInterval:       pollInterval,
		Scheme:             Scheme(),
	}
	if err := readCRDs(ctx, &options, o); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	labelAsClusterctl(options.CRDs)
	if o.WithoutProviders {
		options.CRDs = append(options.CRDs, certManagerCRDs()...)
	}
	if _, err := envtest.InstallCRDs(m.Config, options); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	return nil
}

// readCRDs adds those of Cluster API and of this project.
func readCRDs(ctx context.Context, options *envtest.CRDInstallOptions, o ManagementOptions) error {
	if o.WithoutProviders {
		return nil
	}
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	capi, err := moduleDir(ctx, capiModule)
	if err != nil {
		return err
	}
	options.Paths = []string{filepath.Join(root, "config", "crd", "bases"), filepath.Join(capi, coreCRDs)}
	defer func() { options.Paths = nil }() // They are in CRDs then, with more labels.
	return envtest.ReadCRDFiles(options)
}

// labelAsClusterctl gives the CRDs the label by which clusterctl finds the kinds
// that it moves.
func labelAsClusterctl(crds []*apiextensionsv1.CustomResourceDefinition) {
	for _, crd := range crds {
		metav1.SetMetaDataLabel(&crd.ObjectMeta, clusterctlv1.ClusterctlLabel, "")
	}
}
