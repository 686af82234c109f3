package testenv

import (
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// askTimeout bounds one request to a workload cluster.
const askTimeout = 10 * time.Second

// Scheme returns the kinds that Client can read and write: those of client-go, CRDs, Cluster
// API's core and add-ons, and this project. It is made once: do not add to it.
var Scheme = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme,
		clusterv1.AddToScheme, addonsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		utilruntime.Must(add(s))
	}
	return s
})

// Kubeconfig returns the administrator's kubeconfig: do not change the bytes.
func (s *APIServer) Kubeconfig() []byte { return s.kubeconfig }

// KubeconfigPath returns the file that holds Kubeconfig until Stop.
func (s *APIServer) KubeconfigPath() string { return s.file("kubeconfig") }

// ConfigFor returns a configuration of a user of that name in these groups, who
// may do what RBAC allows. It has no client-side rate limit.
func (s *APIServer) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	login, err := s.authority.user(user, groups...)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: "https://" + s.port.address(),
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: s.authority.pem, CertData: login.certificate, KeyData: login.key,
		},
	}, nil
}

// kubeconfigOf returns a kubeconfig for what ConfigFor returns.
func kubeconfigOf(c *rest.Config) ([]byte, error) {
	const cluster, user = "testenv", "admin"
	content, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			cluster: {Server: c.Host, CertificateAuthorityData: c.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			user: {ClientCertificateData: c.CertData, ClientKeyData: c.KeyData},
		},
		Contexts:       map[string]*clientcmdapi.Context{cluster: {Cluster: cluster, AuthInfo: user}},
		CurrentContext: cluster,
	})
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return content, nil
}

// endpointOf returns the address of the server in a kubeconfig.
func endpointOf(content []byte) (clusterv1.APIEndpoint, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		return clusterv1.APIEndpoint{}, fmt.Errorf("kubeconfig: %w", err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return clusterv1.APIEndpoint{}, fmt.Errorf("kubeconfig: %w", err)
	}
	number, err := strconv.ParseInt(server.Port(), 10, 32)
	if err != nil {
		return clusterv1.APIEndpoint{}, fmt.Errorf("kubeconfig: port of %s: %w", config.Host, err)
	}
	return clusterv1.APIEndpoint{Host: server.Hostname(), Port: int32(number)}, nil
}

// versionOf returns the version of the server in a kubeconfig, such as v1.36.3.
func versionOf(content []byte) (string, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		return "", fmt.Errorf("kubeconfig: %w", err)
	}
	config.Timeout = askTimeout
	c, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", fmt.Errorf("kubeconfig: %w", err)
	}
	version, err := c.ServerVersion()
	if err != nil {
		return "", fmt.Errorf("version of the workload cluster: %w", err)
	}
	return version.GitVersion, nil
}
