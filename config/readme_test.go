package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestTheWayOfTheReadme runs the commands of the section "Use it" as they are written,
// but those that build the image, with a small Bundle in the place of Calico's. The
// manager runs outside, since no kubelet runs its Deployment.
func TestTheWayOfTheReadme(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m := testenv.NewManagement(t, testenv.ManagementOptions{Controllers: true, WithoutProviders: true})
	c := testenv.NewClusterctl(t, "v0.1.0")
	_, err := c.Run(t.Context(), "init", "--kubeconfig="+m.KubeconfigPath(), "--core=cluster-api", "--bootstrap=-", "--control-plane=-")
	g.Expect(err).NotTo(HaveOccurred())
	// clusterctl takes cert-manager for broken while the namespace that it tried it in goes.
	g.Eventually(func() error {
		return m.Client.Get(t.Context(), client.ObjectKey{Name: "cert-manager-test"}, &corev1.Namespace{})
	}).WithTimeout(patience).Should(Satisfy(apierrors.IsNotFound))
	r := newReader(t, m, c)
	l := newLife(t, m, "default")
	for _, block := range useIt(t) {
		switch {
		case strings.Contains(block, "buildah"):
			continue
		case strings.Contains(block, "kubectl label cluster"):
			l.addCluster("berlin", nil)
		case strings.Contains(block, "--for=condition=Ready"):
			r.awaitClusterBundle()
		}
		r.run(block)
		if strings.Contains(block, "make install-local") {
			l.start()
		}
	}
	g.Eventually(func() error {
		crd := client.ObjectKey{Name: "bundles.addons.cluster.x-k8s.io"}
		return m.Client.Get(t.Context(), crd, &apiextensionsv1.CustomResourceDefinition{})
	}).WithTimeout(patience).Should(Satisfy(apierrors.IsNotFound))
}

var shellBlock = regexp.MustCompile("(?s)\n```sh\n(.*?)```")

// useIt returns the shell blocks of the section.
func useIt(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Use it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []string
	for _, found := range shellBlock.FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) < 5 {
		t.Fatalf("want the way of a user in README.md, got %q", blocks)
	}
	return blocks
}

// reader is somebody who follows the README in a clone of the repository.
type reader struct {
	t          *testing.T
	management *testenv.Management
	dir        string
	env        []string
	// exported are the blocks whose variables the later ones see.
	exported string
}

func newReader(t *testing.T, m *testenv.Management, c *testenv.Clusterctl) *reader {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, management: m, dir: dir, env: []string{
		"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "HOME=" + dir, "KUBECONFIG=" + m.KubeconfigPath(),
		"CLUSTERCTL_DISABLE_VERSIONCHECK=true", "CLUSTERCTL_SETTINGS=" + filepath.Join(dir, "settings.yaml"),
	}}
	for _, name := range []string{"Makefile", "metadata.yaml", "config", "bin"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.copyOld(root, "hack/tools/go.mod", "hack/tools/go.sum", "hack/controlplane/go.mod", "hack/controlplane/go.sum")
	r.write("manifests/calico.yaml", smallCalico(t))
	set, err := os.ReadFile(filepath.Join(root, "manifests", "sets", "calico.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("manifests/sets/calico.yaml", set)
	r.write("settings.yaml", coreProvider(t, c))
	return r
}

// copyOld copies files that make takes for older than what was built from them.
func (r *reader) copyOld(root string, names ...string) {
	r.t.Helper()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			r.t.Fatal(err)
		}
		r.write(name, content)
		if err := os.Chtimes(filepath.Join(r.dir, name), time.Time{}, time.Unix(1, 0)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *reader) write(name string, content []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// smallCalico returns the sample under the name of the catalogue's Bundle.
func smallCalico(t *testing.T) []byte {
	t.Helper()
	bundle := ofKind(objects(t, "samples"), "Bundle")[0]
	bundle.SetName("calico")
	releases, _, err := unstructured.NestedSlice(bundle.Object, "spec", "releases")
	if err != nil {
		t.Fatal(err)
	}
	releases[0].(map[string]any)["version"] = "3.32.1"
	if err := unstructured.SetNestedSlice(bundle.Object, releases, "spec", "releases"); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(bundle.Object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// coreProvider returns the settings that name the test's Cluster API, which clusterctl
// would look up on GitHub.
func coreProvider(t *testing.T, c *testenv.Clusterctl) []byte {
	t.Helper()
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Providers []map[string]string }
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	settings, err := yaml.Marshal(config.Providers[:1])
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// run runs the commands of a block.
func (r *reader) run(block string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euc", r.exported+block)
	cmd.Dir, cmd.Env = r.dir, r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v:\n%s\n%s", err, block, out)
	}
	if strings.HasPrefix(block, "export ") {
		r.exported += block
	}
}

// awaitClusterBundle waits as somebody does who watches them.
func (r *reader) awaitClusterBundle() {
	r.t.Helper()
	NewWithT(r.t).Eventually(func() error {
		key := client.ObjectKey{Namespace: "default", Name: "calico-berlin"}
		return r.management.Client.Get(r.t.Context(), key, &v1alpha1.ClusterBundle{})
	}).WithTimeout(patience).Should(Succeed())
}
