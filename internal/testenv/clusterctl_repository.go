package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const (
	capiModule = "sigs.k8s.io/cluster-api"
	// coreCRDs is the folder of that module with the CRDs of the core provider, without
	// the webhooks that its release adds.
	coreCRDs = "core/config/crd/bases"

	clusterAPI  = "cluster-api"
	addonBundle = "addon-bundle"
)

// writeRepositories writes a folder for each provider, as
// https://cluster-api.sigs.k8s.io/clusterctl/configuration#provider-repositories has
// it, and the configuration that names them.
func (c *Clusterctl) writeRepositories(ctx context.Context, versions []string) error {
	capi, err := moduleDir(ctx, capiModule)
	if err != nil {
		return err
	}
	_, core, _ := strings.Cut(filepath.Base(capi), "@")
	if err := c.writeCore(capi, filepath.Join(c.dir, clusterAPI, core)); err != nil {
		return fmt.Errorf("%s: %w", clusterAPI, err)
	}
	if err := c.release(ctx, versions); err != nil {
		return fmt.Errorf("%s: %w", addonBundle, err)
	}
	provider := func(name, kind string, path ...string) map[string]string {
		return map[string]string{"name": name, "type": kind, "url": "file://" + filepath.Join(append([]string{c.dir}, path...)...)}
	}
	config, err := yaml.Marshal(map[string]any{"providers": []any{
		provider(clusterAPI, "CoreProvider", clusterAPI, core, "core-components.yaml"),
		provider("bundle", "AddonProvider", addonBundle, versions[0], "addon-components.yaml"),
	}})
	if err != nil {
		return err
	}
	return os.WriteFile(c.ConfigPath(), config, 0o600)
}

// writeCore writes what stands for a release of the core provider: a Namespace and CRDs.
func (c *Clusterctl) writeCore(module, dir string) error {
	options := envtest.CRDInstallOptions{Paths: []string{filepath.Join(module, coreCRDs)}, ErrorIfPathMissing: true}
	if err := envtest.ReadCRDFiles(&options); err != nil {
		return err
	}
	objects := []any{&corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "capi-system"},
	}}
	for _, crd := range options.CRDs {
		for _, version := range []string{"v1beta1", "v1beta2"} {
			metav1.SetMetaDataLabel(&crd.ObjectMeta, clusterv1.GroupVersion.Group+"/"+version, version)
		}
		objects = append(objects, crd)
	}
	var components bytes.Buffer
	for _, object := range objects {
		document, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		components.WriteString("---\n")
		components.Write(document)
	}
	metadata, err := os.ReadFile(filepath.Join(module, "metadata.yaml"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "core-components.yaml"), components.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "metadata.yaml"), metadata, 0o600)
}

// release has make write the releases of this provider. The metadata of each has the
// series of all of them, since clusterctl looks in the newest for that of the one before.
func (c *Clusterctl) release(ctx context.Context, versions []string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	metadata := filepath.Join(c.dir, "metadata.yaml")
	if err := os.WriteFile(metadata, metadataOf(versions), 0o600); err != nil {
		return err
	}
	for _, version := range versions {
		// The tool is used as it is, however old: tests build nothing but the manager.
		cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "--assume-old="+filepath.Join(root, "bin", "kustomize"),
			"release", "VERSION="+version, "OUT="+c.dir, "METADATA="+metadata)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make release: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// metadataOf returns a metadata.yaml with the release series of these versions.
func metadataOf(versions []string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "apiVersion: %s\nkind: Metadata\nreleaseSeries:\n", clusterctlv1.GroupVersion)
	for _, version := range versions {
		parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
		fmt.Fprintf(&text, "- major: %s\n  minor: %s\n  contract: v1beta2\n", parts[0], parts[1])
	}
	return text.Bytes()
}

// certManagerCRDs stand for cert-manager: clusterctl installs it unless these kinds are
// served, and none of our providers needs more of it.
func certManagerCRDs() []*apiextensionsv1.CustomResourceDefinition {
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, kind := range []string{"Certificate", "ClusterIssuer", "Issuer"} {
		crds = append(crds, providerCRD(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: kind}))
	}
	return crds
}
