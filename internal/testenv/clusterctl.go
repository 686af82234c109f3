package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Clusterctl is the real clusterctl with a configuration, a home folder and local
// repositories of its own: it reads nothing of the user's and downloads nothing.
type Clusterctl struct{ program, dir string }

// PrepareClusterctl writes into dir what clusterctl needs to install the CRDs of Cluster
// API, in place of its core provider, and these versions of this provider, such as v0.1.0.
func PrepareClusterctl(ctx context.Context, dir string, versions ...string) (*Clusterctl, error) {
	program, err := binary("clusterctl")
	if err != nil {
		return nil, err
	}
	c := &Clusterctl{program: program, dir: dir}
	if err := c.writeRepositories(ctx, versions); err != nil {
		return nil, fmt.Errorf("clusterctl: %w", err)
	}
	return c, nil
}

// ConfigPath returns the clusterctl.yaml, to which settings may be added.
func (c *Clusterctl) ConfigPath() string { return filepath.Join(c.dir, "clusterctl.yaml") }

// RepositoryPath returns the folder with a release of this provider.
func (c *Clusterctl) RepositoryPath(version string) string {
	return filepath.Join(c.dir, addonBundle, version)
}

// Run runs clusterctl and returns what it printed and logged, which an error has, too.
// Which management cluster it is about is among the arguments: --kubeconfig.
func (c *Clusterctl) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, append([]string{"--config=" + c.ConfigPath()}, args...)...)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "CLUSTERCTL_DISABLE_VERSIONCHECK=true"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("clusterctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return out.String(), nil
}

// Init installs the CRDs of Cluster API and a version of this provider on a management
// cluster that is WithoutProviders, and returns when their kinds are served.
func (c *Clusterctl) Init(ctx context.Context, m *Management, version string) error {
	if _, err := c.Run(ctx, "init", "--kubeconfig="+m.KubeconfigPath(), "--core=cluster-api",
		"--bootstrap=-", "--control-plane=-", "--addon=bundle:"+version); err != nil {
		return err
	}
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	if err := m.Client.List(ctx, list, client.HasLabels{clusterctlv1.ClusterctlLabel}); err != nil {
		return err
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(list.Items))
	for i := range list.Items {
		crds[i] = &list.Items[i]
	}
	return envtest.WaitForCRDs(m.Config, crds, envtest.CRDInstallOptions{
		MaxTime: startTimeout, PollInterval: pollInterval,
	})
}
