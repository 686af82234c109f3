package testenv

import (
	"context"
	"fmt"
)

// withoutServiceAccounts lets Pods be made where no controller makes the
// ServiceAccount that they default to.
const withoutServiceAccounts = "--disable-admission-plugins=ServiceAccount"

// Workload is a workload cluster.
type Workload struct {
	*APIServer
}

// WorkloadOptions select what a workload cluster runs beside its API server.
type WorkloadOptions struct {
	// Nodes, if not 0, makes a whole cluster with as many simulated Nodes: with
	// the controller manager and the scheduler, so that a Deployment becomes
	// Available by itself. Without, nothing in the cluster does anything but to
	// serve the API: not even Namespaces go.
	Nodes int
	// Flags are of kube-apiserver, beside the usual ones.
	Flags []string
}

// StartWorkload starts a workload cluster and returns when its API server is
// ready, and its Nodes are.
func StartWorkload(ctx context.Context, o WorkloadOptions) (*Workload, error) {
	flags := o.Flags
	if o.Nodes == 0 {
		flags = append([]string{withoutServiceAccounts}, flags...)
	}
	s, err := startAPIServer(ctx, flags...)
	if err != nil {
		return nil, fmt.Errorf("workload cluster: %w", err)
	}
	w := &Workload{APIServer: s}
	if o.Nodes == 0 {
		return w, nil
	}
	if err := w.simulate(ctx, o.Nodes); err != nil {
		w.Stop()
		return nil, fmt.Errorf("workload cluster: %w", err)
	}
	return w, nil
}
