package test

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// hooked is a release of a chart that says its version in a ConfigMap and has a Job
// before an installation, one before an upgrade, one behind both that goes when it
// succeeded, and one for a deletion.
func (s *scenario) hooked(version string) v1alpha1.Release {
	s.t.Helper()
	job := func(name, events, policy string) string {
		return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: %s-%s\n  annotations: {helm.sh/hook: %q, "+
			"helm.sh/hook-delete-policy: %q}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: run, image: run}]}}}\n",
			s.namespace, name, events, policy)
	}
	archive := s.web.publish("hooked-"+version+".tgz", s.tarball(map[string]string{
		"hooked/Chart.yaml":             "apiVersion: v2\nname: hooked\nversion: " + version + "\n",
		"hooked/templates/version.yaml": configMap("default", s.namespace, version),
		"hooked/templates/install.yaml": job("install", "pre-install", "before-hook-creation"),
		"hooked/templates/upgrade.yaml": job("upgrade", "pre-upgrade", "before-hook-creation"),
		"hooked/templates/passing.yaml": job("passing", "post-install,post-upgrade", "before-hook-creation,hook-succeeded"),
		"hooked/templates/delete.yaml":  job("delete", "pre-delete", "hook-succeeded"),
	}))
	return release(version, phase("app", s.helmSource(archive.HTTPS.URL, func(src *v1alpha1.HelmSource) {
		src.Version, src.Digest = version, archive.HTTPS.Digest
	})))
}

// applied returns the names of the Jobs and the ConfigMap that were applied, in order. One
// that had to be sent again counts once.
func (s *scenario) applied(seen *testenv.Proxy) []string {
	var names []string
	for _, r := range seen.Writes() {
		if r.Verb == "patch" && r.Namespace == "default" {
			names = append(names, r.Name)
		}
	}
	return slices.Compact(names)
}

func TestHooksOfAChartRunByTheirEventOnceForEachRelease(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWhole(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	bundle := s.bundle("app", s.hooked("1.0.0"))
	s.set("app")
	s.cluster("rome", "app", seen)
	uid := func(job string) types.UID { return s.uid(workload, "batch/v1", "Job", "default", s.namespace+"-"+job) }

	s.Eventually(s.delivered("app-rome")).Should(Equal("1.0.0 " + isReady))
	s.Expect(s.applied(seen)).To(Equal([]string{s.namespace + "-install", s.namespace, s.namespace + "-passing"}))
	s.Expect(uid("passing")).To(BeEmpty(), "it goes when it succeeded")
	installed := uid("install")
	s.Expect(installed).NotTo(BeEmpty())

	seen.Reset()
	version := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace}}
	s.Expect(workload.Client.Delete(t.Context(), version)).To(Succeed())
	s.Eventually(func() []string { return s.applied(seen) }).Should(Equal([]string{s.namespace}), "no hook is repaired")
	s.Eventually(s.delivered("app-rome")).Should(Equal("1.0.0 " + isReady))

	seen.Reset()
	s.upgrades(bundle, s.hooked("2.0.0"))
	s.Eventually(s.delivered("app-rome")).Should(Equal("2.0.0 " + isReady))
	s.Expect(s.applied(seen)).To(Equal([]string{s.namespace + "-upgrade", s.namespace, s.namespace + "-passing"}))
	s.Expect(uid("passing")).To(BeEmpty(), "it goes when it succeeded")
	s.Expect(uid("install")).To(Equal(installed), "what an installation made stays")
}
