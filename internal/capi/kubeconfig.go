package capi

import (
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// maxKubeconfig bounds a kubeconfig in bytes: parsed it takes hundreds of times more.
const maxKubeconfig = 128 << 10

// SafeKubeconfig returns what the manager uses of a kubeconfig, which anybody may have
// written who may write Secrets in a namespace of Clusters: the cluster and the user of
// its current context. They may name no file, program or plugin: files are those of the
// manager, its own token among them, and would be sent to the server that the
// kubeconfig names. Answers are not to be compressed, so that they are no larger in
// memory than on the wire. An error quotes nothing of the kubeconfig.
func SafeKubeconfig(text []byte) ([]byte, error) {
	if len(text) > maxKubeconfig {
		return nil, fmt.Errorf("the kubeconfig is larger than %d KiB", maxKubeconfig>>10)
	}
	given, err := clientcmd.Load(text)
	if err != nil {
		return nil, errors.New("it is no kubeconfig")
	}
	used := given.Contexts[given.CurrentContext]
	if used == nil {
		return nil, errors.New("the kubeconfig has no current context")
	}
	cluster, user := given.Clusters[used.Cluster], given.AuthInfos[used.AuthInfo]
	switch {
	case cluster == nil || cluster.Server == "":
		return nil, errors.New("the kubeconfig has no server in its current context")
	case user == nil:
		return nil, errors.New("the kubeconfig has no user in its current context")
	}
	if err := onlyContent(cluster, user); err != nil {
		return nil, err
	}
	cluster.DisableCompression = true
	const name = "cluster"
	safe, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: cluster},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: user},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	if err != nil {
		return nil, errors.New("the kubeconfig cannot be written")
	}
	return safe, checkUsable(safe)
}

// onlyContent returns what of a kubeconfig is not in it.
func onlyContent(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	for _, file := range []struct{ field, path string }{
		{"certificate-authority", cluster.CertificateAuthority}, {"client-certificate", user.ClientCertificate},
		{"client-key", user.ClientKey}, {"tokenFile", user.TokenFile},
	} {
		if file.path != "" {
			return fmt.Errorf("the kubeconfig names a file in %s: the manager reads none of its files for it", file.field)
		}
	}
	if user.Exec != nil || user.AuthProvider != nil {
		return errors.New("the kubeconfig has a user with exec or auth-provider: the manager runs nothing for it")
	}
	return nil
}

// checkUsable returns an error if client-go does not take a kubeconfig, which names no
// files.
func checkUsable(text []byte) error {
	if _, err := clientcmd.RESTConfigFromKubeConfig(text); err != nil {
		return errors.New("client-go does not take the kubeconfig")
	}
	return nil
}

// ConfigOf returns the configuration that SafeKubeconfig makes of a kubeconfig. Its
// errors are those of SafeKubeconfig.
func ConfigOf(text []byte) (*rest.Config, error) {
	safe, err := SafeKubeconfig(text)
	if err != nil {
		return nil, err
	}
	return clientcmd.RESTConfigFromKubeConfig(safe)
}
