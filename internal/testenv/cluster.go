package testenv

import (
	"context"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Connectable is an API server that a Cluster's kubeconfig Secret can point to.
type Connectable interface {
	// Kubeconfig returns the content of the Secret.
	Kubeconfig() []byte
}

var (
	_ Connectable = (*Workload)(nil)
	_ Connectable = (*Proxy)(nil)
)

// ClusterOptions describe a Cluster.
type ClusterOptions struct {
	// Namespace and Name of the Cluster. Required.
	Namespace, Name string
	// Labels and Annotations of the Cluster.
	Labels, Annotations map[string]string
	// Pods are the addresses of pods in its spec.
	Pods []string
	// Paused is spec.paused.
	Paused bool
	// Workload is the workload cluster of the Cluster. Without one the Cluster is
	// not provisioned yet, and Connect provisions it.
	Workload Connectable
	// Version of Kubernetes that the control plane object reports. Default: the
	// version of the workload cluster, which must be reachable then.
	Version string
}

// AddCluster makes a Cluster with its infrastructure and control plane objects,
// and connects it if there is a Workload. It returns the Cluster as the API server has it.
// After StartCAPI a Cluster with a Workload cannot be made Paused: Cluster API
// would do nothing for it.
func (m *Management) AddCluster(ctx context.Context, o ClusterOptions) (*clusterv1.Cluster, error) {
	cluster := newCluster(o)
	if m.capi != nil && o.Paused && o.Workload != nil {
		return nil, fmt.Errorf("cluster %s/%s: is paused, so Cluster API would not connect it", o.Namespace, o.Name)
	}
	for _, object := range []client.Object{
		providerObject(infrastructureKind, cluster), providerObject(controlPlaneKind, cluster), cluster,
	} {
		if err := m.Client.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("cluster %s/%s: %w", o.Namespace, o.Name, err)
		}
	}
	if o.Workload == nil {
		return cluster, nil
	}
	if err := m.connect(ctx, cluster, o.Workload.Kubeconfig(), o.Version); err != nil {
		return nil, fmt.Errorf("cluster %s/%s: %w", o.Namespace, o.Name, err)
	}
	return cluster, nil
}

func newCluster(o ClusterOptions) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, Annotations: o.Annotations,
		},
		Spec: clusterv1.ClusterSpec{
			InfrastructureRef: reference(infrastructureKind, o.Name),
			ControlPlaneRef:   reference(controlPlaneKind, o.Name),
			ClusterNetwork:    clusterv1.ClusterNetwork{Pods: clusterv1.NetworkRanges{CIDRBlocks: o.Pods}},
		},
	}
	if o.Paused {
		cluster.Spec.Paused = new(true)
	}
	return cluster
}

func reference(kind schema.GroupVersionKind, name string) clusterv1.ContractVersionedObjectReference {
	return clusterv1.ContractVersionedObjectReference{APIGroup: kind.Group, Kind: kind.Kind, Name: name}
}

// Connect provisions a Cluster that was made without a Workload: it makes the
// kubeconfig Secret and the providers' status. The Cluster's status is written
// as Cluster API leaves it, or, after StartCAPI, waited for. The Cluster given
// is brought up to date.
func (m *Management) Connect(ctx context.Context, cluster *clusterv1.Cluster, w Connectable) error {
	if err := m.connect(ctx, cluster, w.Kubeconfig(), ""); err != nil {
		return fmt.Errorf("cluster %s/%s: %w", cluster.Namespace, cluster.Name, err)
	}
	return nil
}

// ConnectMoved brings the status of a Cluster, and of its providers' objects, back after
// clusterctl has moved it here without: in life the providers and Cluster API do. The
// Cluster given is brought up to date.
func (m *Management) ConnectMoved(ctx context.Context, cluster *clusterv1.Cluster, w Connectable) error {
	endpoint, err := endpointOf(w.Kubeconfig())
	if err != nil {
		return err
	}
	version, err := versionOf(w.Kubeconfig())
	if err != nil {
		return err
	}
	if err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), cluster); err != nil {
		return err
	}
	if err := m.provision(ctx, cluster, endpoint, version); err != nil {
		return fmt.Errorf("cluster %s/%s: %w", cluster.Namespace, cluster.Name, err)
	}
	return m.imitateCAPI(ctx, cluster, endpoint)
}

func (m *Management) connect(ctx context.Context, cluster *clusterv1.Cluster, content []byte, version string) error {
	endpoint, err := endpointOf(content)
	if err != nil {
		return err
	}
	if version == "" {
		if version, err = versionOf(content); err != nil {
			return err
		}
	}
	// The Secret comes first: Cluster API connects as soon as the infrastructure
	// is there, and tries again only after half a minute.
	if err := m.createKubeconfig(ctx, cluster, content); err != nil {
		return err
	}
	if err := m.provision(ctx, cluster, endpoint, version); err != nil {
		return err
	}
	if m.capi != nil {
		return m.waitForCAPI(ctx, cluster)
	}
	return m.imitateCAPI(ctx, cluster, endpoint)
}

// provision does what the providers do.
func (m *Management) provision(
	ctx context.Context, cluster *clusterv1.Cluster, endpoint clusterv1.APIEndpoint, version string,
) error {
	if err := m.updateProvider(ctx, infrastructureKind, cluster, map[string]any{
		"spec": map[string]any{"controlPlaneEndpoint": map[string]any{
			"host": endpoint.Host, "port": int64(endpoint.Port),
		}},
		"status": map[string]any{"initialization": map[string]any{"provisioned": true}},
	}); err != nil {
		return err
	}
	return m.updateProvider(ctx, controlPlaneKind, cluster, map[string]any{
		"spec": map[string]any{"version": version},
		"status": map[string]any{
			"version":        version,
			"initialization": map[string]any{"controlPlaneInitialized": true},
		},
	})
}

// createKubeconfig makes the Secret as a control plane provider does, which owns
// it.
func (m *Management) createKubeconfig(ctx context.Context, cluster *clusterv1.Cluster, content []byte) error {
	key := client.ObjectKeyFromObject(cluster)
	owner := &unstructured.Unstructured{}
	owner.SetGroupVersionKind(controlPlaneKind)
	if err := m.Client.Get(ctx, key, owner); err != nil {
		return err
	}
	return m.Client.Create(ctx, kubeconfig.GenerateSecretWithOwner(key, content,
		*metav1.NewControllerRef(owner, controlPlaneKind)))
}

// updateProvider sets the spec and status of a provider's object.
func (m *Management) updateProvider(
	ctx context.Context, kind schema.GroupVersionKind, cluster *clusterv1.Cluster, want map[string]any,
) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	if err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), u); err != nil {
		return err
	}
	before := u.DeepCopy()
	maps.Copy(u.Object, want)
	status := u.DeepCopy()
	if err := m.Client.Patch(ctx, u, client.MergeFrom(before)); err != nil {
		return err
	}
	return m.Client.Status().Patch(ctx, status, client.MergeFrom(before))
}
