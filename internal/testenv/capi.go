package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// capiProgram is the name of the binary in the images of Cluster API. It is the field
// manager of what a ClusterResourceSet applies.
const capiProgram = "manager"

// StartCAPI runs Cluster API's own core controllers on the management cluster.
// From then on AddCluster and Connect wait for the status that they write. The
// webhooks of Cluster API are not registered. args are further arguments.
func (m *Management) StartCAPI(ctx context.Context, args ...string) error {
	if m.capi != nil {
		return errors.New("capi-core is running")
	}
	webhooks, err := m.writeWebhookCertificate()
	if err != nil {
		return fmt.Errorf("capi-core: %w", err)
	}
	webhook, err := freePort()
	if err != nil {
		return fmt.Errorf("capi-core: %w", err)
	}
	health, err := freePort()
	if err != nil {
		return fmt.Errorf("capi-core: %w", err)
	}
	metrics, err := freePort()
	if err != nil {
		return fmt.Errorf("capi-core: %w", err)
	}
	if m.capi, err = startCAPIProgram(append([]string{
		"--kubeconfig=" + m.KubeconfigPath(),
		"--webhook-cert-dir=" + webhooks,
		"--webhook-port=" + webhook,
		"--health-addr=127.0.0.1:" + health,
		"--diagnostics-address=127.0.0.1:" + metrics,
		"--insecure-diagnostics",
		"--v=2",
	}, args...)); err != nil {
		return err
	}
	m.extras = append(m.extras, m.capi)
	m.capiMetrics = "http://127.0.0.1:" + metrics + "/metrics"
	return m.capi.waitReady(ctx, func(ctx context.Context) error {
		return getOK(ctx, http.DefaultClient, "http://127.0.0.1:"+health+"/readyz")
	})
}

// startCAPIProgram starts capi-core under the name that it has in the images.
func startCAPIProgram(args []string) (*process, error) {
	path, err := binary("capi-core")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...) //nolint:noctx // As every program here, it outlives the call.
	cmd.Args[0] = capiProgram
	return start("capi-core", cmd)
}

// CAPIMetricsURL is where Cluster API's controllers serve their metrics, after StartCAPI.
func (m *Management) CAPIMetricsURL() string { return m.capiMetrics }

func (m *Management) writeWebhookCertificate() (string, error) {
	serving, err := m.authority.server()
	if err != nil {
		return "", err
	}
	dir := m.file("webhooks")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), serving.certificate, 0o600); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "tls.key"), serving.key, 0o600)
}

// freePort returns a port that is free now: capi-core cannot share a reserved
// one. If another program takes the port first, capi-core exits with an error.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return "", fmt.Errorf("port: %w", err)
	}
	defer func() { _ = l.Close() }()
	_, number, err := net.SplitHostPort(l.Addr().String())
	return number, err
}

// waitForCAPI waits until Cluster API reports the Cluster as Available.
func (m *Management) waitForCAPI(ctx context.Context, cluster *clusterv1.Cluster) error {
	return m.capi.waitReady(ctx, func(ctx context.Context) error {
		if err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), cluster); err != nil {
			return err
		}
		available := conditions.Get(cluster, clusterv1.ClusterAvailableCondition)
		if available != nil && available.Status == metav1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("is not available: %v", cluster.Status.Conditions)
	})
}
