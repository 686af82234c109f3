package capi

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// kubeconfigs reads the kubeconfig Secrets for the ClusterCache, which does what they
// say: it refuses programs and plugins, and reads files.
type kubeconfigs struct {
	client.Reader
	// begins is called with the Cluster when an attempt to connect it begins.
	begins func(cluster client.ObjectKey)
}

// Get reads an object, of a kubeconfig Secret with what is safe of it. The errors are
// those of the reader and of SafeKubeconfig.
func (k kubeconfigs) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if err := k.Reader.Get(ctx, key, object, opts...); err != nil {
		return err
	}
	read, ok := object.(*corev1.Secret)
	if !ok {
		return nil
	}
	k.begins(client.ObjectKey{Namespace: key.Namespace, Name: read.Labels[clusterv1.ClusterNameLabel]})
	safe, err := SafeKubeconfig(read.Data[secret.KubeconfigDataName])
	if err != nil {
		return fmt.Errorf("secret %s: %w", key.Name, err)
	}
	read.Data = maps.Clone(read.Data)
	read.Data[secret.KubeconfigDataName] = safe
	return nil
}
