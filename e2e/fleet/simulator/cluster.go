package simulator

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is one simulated workload cluster. Its methods may be called at any time.
type Cluster struct {
	fleet  *Fleet
	index  int
	faults atomic.Pointer[[]*rule]
	line   line
	seen   seen

	mu sync.Mutex
	store
}

// Address returns the host and port of the API server.
func (c *Cluster) Address() string {
	return net.JoinHostPort(address(c.index).String(), strconv.Itoa(c.fleet.port))
}

// token is what the cluster knows its only user by.
func (c *Cluster) token() string { return c.fleet.tokens + strconv.Itoa(c.index) }

// Config returns the configuration of a client, without a rate limit.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: "https://" + c.Address(), BearerToken: c.token(), QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.fleet.authority.pem, ServerName: serverName},
	}
}

// Kubeconfig returns the content of a kubeconfig.
func (c *Cluster) Kubeconfig() []byte {
	const name = "simulated"
	content, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server: "https://" + c.Address(), TLSServerName: serverName,
			CertificateAuthorityData: c.fleet.authority.pem,
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: c.token()}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	if err != nil {
		panic(fmt.Sprintf("a kubeconfig of constants: %v", err))
	}
	return content
}

// SetFaults replaces the faults of this cluster, which come before those of the fleet.
// None ends them.
func (c *Cluster) SetFaults(faults ...Fault) { setRules(&c.faults, faults) }

// prepare makes the Namespaces that an API server makes when it starts.
func (c *Cluster) prepare() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision > 0 {
		return
	}
	r := theBuiltIns().resources[schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}]
	for _, name := range []string{"default", "kube-node-lease", "kube-public", "kube-system"} {
		made := c.fleet.deeds.get(deed{resource: r, what: "make " + name}, func() result {
			fields := r.empty()
			fields["metadata"] = map[string]any{
				"name": name, "labels": map[string]any{"kubernetes.io/metadata.name": name},
			}
			return update(r, "", nil, fields, apiServer)
		})
		c.put(r, nil, made.after, time.Now())
	}
}

// Served returns the names of the CustomResourceDefinitions whose kinds are served now,
// sorted, and when the last of them began to be.
func (c *Cluster) Served() (names []string, last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.served {
		names = append(names, d.name)
	}
	return names, c.servedAt
}

// Objects returns how many objects the cluster has of a resource.
func (c *Cluster) Objects(group, plural string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind := c.kinds[storage{group, plural}]; kind != nil {
		return len(kind.objects)
	}
	return 0
}
