package testenv

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AddBareCluster makes a Cluster as Cluster API leaves it, and its kubeconfig Secret, in three
// requests: without the objects of its providers, of which this project reads none, and of
// which a thousand take minutes.
func (m *Management) AddBareCluster(ctx context.Context, o ClusterOptions) error {
	if err := m.addBareCluster(ctx, o); err != nil {
		return fmt.Errorf("cluster %s/%s: %w", o.Namespace, o.Name, err)
	}
	return nil
}

func (m *Management) addBareCluster(ctx context.Context, o ClusterOptions) (err error) {
	if o.Workload == nil {
		return errors.New("has no workload cluster")
	}
	cluster, content := newCluster(o), o.Workload.Kubeconfig()
	if cluster.Spec.ControlPlaneEndpoint, err = endpointOf(content); err != nil {
		return err
	}
	cluster.Finalizers = []string{clusterv1.ClusterFinalizer}
	if err := m.Client.Create(ctx, cluster); err != nil {
		return err
	}
	owner := *metav1.NewControllerRef(cluster, clusterv1.GroupVersion.WithKind(clusterv1.ClusterKind))
	secret := kubeconfig.GenerateSecretWithOwner(client.ObjectKeyFromObject(cluster), content, owner)
	if err := m.Client.Create(ctx, secret); err != nil {
		return err
	}
	before := cluster.DeepCopy()
	cluster.Status = availableStatus(cluster.Generation, metav1.Now())
	return m.Client.Status().Patch(ctx, cluster, client.MergeFrom(before))
}

// Started returns when the manager was started. It was built before.
func (m *Manager) Started() time.Time { return m.process.began }

// Stored is what etcd holds below a prefix.
type Stored struct {
	// Objects is how many there are.
	Objects int
	// Bytes are those of their values, as they are stored: JSON for custom resources.
	Bytes int64
}

// Stored returns what this API server's etcd holds below the prefix, such as
// /registry/events/. It asks etcd's JSON gateway, page by page.
func (s *APIServer) Stored(ctx context.Context, prefix string) (Stored, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.etcdSocket())
	}}
	defer transport.CloseIdleConnections()
	etcd := &http.Client{Transport: transport, Timeout: startTimeout}
	var total Stored
	end := []byte(prefix)
	end[len(end)-1]++ // The first key that does not have the prefix.
	for from := []byte(prefix); ; {
		page, err := readPage(ctx, etcd, from, end)
		if err != nil {
			return Stored{}, fmt.Errorf("etcd: %s: %w", prefix, err)
		}
		for _, kv := range page.KVs {
			total.Objects++
			total.Bytes += int64(len(kv.Value))
		}
		if !page.More || len(page.KVs) == 0 {
			return total, nil
		}
		from = append(page.KVs[len(page.KVs)-1].Key, 0)
	}
}

// storedPage is an answer of etcd's gateway, which has bytes in base64, as encoding/json does.
type storedPage struct {
	KVs []struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	} `json:"kvs"`
	More bool `json:"more"`
}

// pageObjects is how many objects etcd is asked for at once.
const pageObjects = 100

func readPage(ctx context.Context, etcd *http.Client, from, end []byte) (storedPage, error) {
	body, err := json.Marshal(map[string]any{
		"key":       base64.StdEncoding.EncodeToString(from),
		"range_end": base64.StdEncoding.EncodeToString(end),
		"limit":     pageObjects,
	})
	if err != nil {
		return storedPage{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://etcd/v3/kv/range", bytes.NewReader(body))
	if err != nil {
		return storedPage{}, err
	}
	resp, err := etcd.Do(req)
	if err != nil {
		return storedPage{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return storedPage{}, errors.New(resp.Status)
	}
	var page storedPage
	return page, json.NewDecoder(resp.Body).Decode(&page)
}

// Root returns the folder of the repository.
func Root() (string, error) { return repositoryRoot() }
