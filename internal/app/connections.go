package app

import (
	"os"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/cluster-api/controllers/remote"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// configOf returns the configuration of a client for a workload cluster.
func configOf(kubeconfig []byte) (*rest.Config, error) {
	cfg, err := capi.ConfigOf(kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.UserAgent = remote.DefaultClusterAPIUserAgent(name)
	return cfg, nil
}

// insideOf returns the cluster of a manager that runs in a Pod; nil for one that does
// not. The error is that of the files of the configuration.
func insideOf(cfg *rest.Config) (*workload.Inside, error) {
	pod := client.ObjectKey{Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME")}
	uid := types.UID(os.Getenv("POD_UID"))
	if pod.Namespace == "" || pod.Name == "" || uid == "" {
		return nil, nil //nolint:nilnil // as documented
	}
	loaded := rest.CopyConfig(cfg)
	if err := rest.LoadTLSFiles(loaded); err != nil {
		return nil, err
	}
	return &workload.Inside{Host: loaded.Host, CAData: loaded.CAData, Pod: pod, UID: uid}, nil
}
