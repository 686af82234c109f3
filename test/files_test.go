package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// upstream are files of a project that belong together, in the order in which the
// project has them applied, below a folder. A pattern stands for the files that match.
type upstream struct {
	files []string
	// before is what the files need and do not bring.
	before string
	// want is what the release comes to: isReady, or the beginning of its message.
	want string
}

// calicoFiles are the files of a version of Calico in its folder.
func calicoFiles(version string, names ...string) upstream {
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = "calico/" + version + "/" + name + ".yaml"
	}
	return upstream{files: files, want: isReady}
}

// loggingFiles are a sample of the Logging Operator with what it needs.
func loggingFiles(names ...string) upstream {
	all := upstream{files: []string{"logging-operator/6.7.0/crds/*.yaml"}, want: isReady}
	for _, name := range names {
		all.files = append(all.files, "logging-operator/6.7.0/samples/"+name+".yaml")
	}
	return all
}

// everyFile has all files that are known, by a name for each group.
func everyFile() map[string]upstream {
	const crds, operator, resources = "operator-crds", "tigera-operator", "custom-resources"
	ready := func(files ...string) upstream { return upstream{files: files, want: isReady} }
	certManager := crd("cert-manager.io", "certificates", "Certificate")
	return map[string]upstream{
		"calico 3.28.5":           calicoFiles("v3.28.5", operator, resources),
		"calico 3.29.7":           calicoFiles("v3.29.7", operator, resources),
		"calico 3.30.7":           calicoFiles("v3.30.7", crds, operator, resources),
		"calico 3.30.7 OpenShift": calicoFiles("v3.30.7", crds, "tigera-operator-ocp-upgrade"),
		"calico 3.31.7":           calicoFiles("v3.31.7", crds, operator, resources),
		"calico 3.31.7 eBPF":      calicoFiles("v3.31.7", crds, operator, "custom-resources-bpf"),
		"calico 3.31.7 manifest":  calicoFiles("v3.31.7", "calico"),
		"calico 3.31.7 CRDs":      calicoFiles("v3.31.7", "crds"),
		"calico 3.32.1":           calicoFiles("v3.32.1", crds, operator, resources),

		"cilium CRDs":    ready("cilium/1.19.0-dev/crds/v2/*.yaml", "cilium/1.19.0-dev/crds/v2alpha1/*.yaml"),
		"cilium 1.18.6":  ready("cilium/v1.18.6/cilium-minikube.yaml"),
		"cilium 1.18.12": {[]string{"cilium/v1.18.12/cilium-kops.yaml"}, certManager, isReady},
		"cilium 1.20.1":  ready("cilium/v1.20.1/cilium-minikube.yaml"),
		"cilium 1.9.9":   ready("cilium/v1.9.9/quick-install.yaml"),
		// It has a CronJob of a version that Kubernetes 1.25 dropped.
		"cilium 1.9.9 experimental": {[]string{"cilium/v1.9.9/experimental-install.yaml"}, "", "False KindNotServed: "},

		"logging-operator 6.7.0": {
			[]string{"logging-operator/6.7.0/crds/*.yaml", "logging-operator/6.7.0/operator.yaml"}, namespaceLogging, isReady,
		},
		"logging-operator 5.4.0 CRDs": ready("logging-operator/5.4.0/crds/*.yaml"),
		"logging all-to-file":         loggingFiles("all-to-file"),
		"logging all-to-stdout":       loggingFiles("all-to-stdout"),
		"logging nslabel":             loggingFiles("all-to-stdout-nslabel"),
		"logging configcheck":         loggingFiles("configcheck-timeout"),
		"logging containerd":          loggingFiles("containerd-log"),
		"logging extensions": loggingFiles("extensions/logging-extensions_v1alpha1_eventtailer_with_pvc",
			"extensions/logging-extensions_v1alpha1_hosttailer"),
		"logging fluentbit-multi":      loggingFiles("fluentbit-multi"),
		"logging fluentd-extravolumes": loggingFiles("fluentd-extravolumes"),
		"logging fluentdconfig":        loggingFiles("fluentdconfig"),
		"logging monitoring":           loggingFiles("logging_logging_with_monitoring"),
		"logging tenants": loggingFiles("multitenant-routing/tenant-infra-logging", "multitenant-routing/tenant-infra-receiver",
			"multitenant-routing/tenant-a-logging", "multitenant-routing/tenant-b-logging"),
		"logging syslog-ng-custom-metrics": loggingFiles("syslog-ng-custom-metrics"),
		"logging syslog-ng-retry":          loggingFiles("syslog-ng-retry"),
		"logging syslog-ng-simple":         loggingFiles("syslog-ng-simple"),
	}
}

// TestEveryPublishedFileIsAppliedWhole has every group of files as one phase, and each
// file as a phase of its own, on whole clusters. It takes minutes, so "make test-files"
// runs it.
func TestEveryPublishedFileIsAppliedWhole(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("FILES_DIR")
	if folder == "" {
		t.Skip("set FILES_DIR to a folder with published manifests")
	}
	for name, given := range everyFile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newScenario(t).expectWhole(folder, given)
		})
	}
}

// expectWhole gives the files to two whole clusters.
func (s *scenario) expectWhole(folder string, given upstream) {
	s.t.Helper()
	sources := s.sourcesOf(folder, given.files)
	one := []v1alpha1.Phase{phase("all", sources...)}
	var each []v1alpha1.Phase
	for _, source := range sources {
		each = append(each, phase("file-"+string(rune('a'+len(each))), source))
	}
	for name, phases := range map[string][]v1alpha1.Phase{"one": one, "each": each} {
		if given.before != "" {
			phases = append([]v1alpha1.Phase{phase("before", inline(given.before))}, phases...)
		}
		s.bundle(name, release("1.0.0", phases...))
		s.set(name)
		s.cluster("as-"+name, name, s.oneNode())
		s.Eventually(s.ready(name+"-as-"+name)).Should(HavePrefix(given.want), name)
	}
}

// oneNode returns a whole cluster of one node, which also is of the control plane:
// some workloads run there only.
func (s *scenario) oneNode() *testenv.Workload {
	s.t.Helper()
	w := testenv.NewWorkload(s.t, testenv.WorkloadOptions{Nodes: 1})
	nodes := &corev1.NodeList{}
	s.Expect(w.Client.List(s.t.Context(), nodes)).To(Succeed())
	labelled := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`))
	s.Expect(w.Client.Patch(s.t.Context(), &nodes.Items[0], labelled)).To(Succeed())
	return w
}

// sourcesOf has the files, each pattern as one file, served.
func (s *scenario) sourcesOf(folder string, patterns []string) []v1alpha1.Source {
	s.t.Helper()
	sources := make([]v1alpha1.Source, len(patterns))
	for i, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(pattern)))
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(files).NotTo(BeEmpty(), pattern)
		texts := make([]string, len(files))
		for n, file := range files {
			text, err := os.ReadFile(file)
			s.Expect(err).NotTo(HaveOccurred())
			texts[n] = string(text)
		}
		sources[i] = s.web.publish(strings.ReplaceAll(pattern, "*", "all"), strings.Join(texts, "\n---\n"))
	}
	return sources
}
