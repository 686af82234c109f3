package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// life takes the sample through delivery, an upgrade and its removal, with a manager
// that is the ServiceAccount of what a folder installs.
type life struct {
	t          *testing.T
	management *testenv.Management
	// target is what the Cluster leads to: workload, where it is not the management cluster.
	target   testenv.Connectable
	workload *testenv.Proxy
	manager  *testenv.Manager
	// args and env are those of the manager, namespace is where the sample is.
	args, env []string
	namespace string
	cache     string
}

// newLife returns a life in the namespace that the manager of the folder works in.
func newLife(t *testing.T, m *testenv.Management, folder string) *life {
	t.Helper()
	l := &life{t: t, management: m, namespace: "default", cache: t.TempDir()}
	for _, arg := range argsOf(t, folder) {
		if in, found := strings.CutPrefix(arg, "--namespace="); found {
			l.namespace = in
		}
		if !strings.Contains(arg, "diagnostics") { // They have variables of clusterctl.
			l.args = append(l.args, arg)
		}
	}
	return l
}

// start starts the manager as its Pod would: with a token, in the namespace of the Pod.
func (l *life) start() {
	l.t.Helper()
	manager, err := testenv.StartManager(l.t.Context(), testenv.ManagerOptions{
		Management: l.management, CacheDir: l.cache, Race: true,
		Args: append([]string{"--insecure-diagnostics=false", "--kubeconfig=" + accountKubeconfig(l.t, l.management)}, l.args...),
		Env:  append(inPod(l.t, l.management), l.env...),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(manager.Stop)
	l.manager = manager
}

// inPod creates a Pod of the Deployment, which no kubelet runs, unless it is there, and
// returns the environment of the manager in it.
func inPod(t *testing.T, m *testenv.Management) []string {
	t.Helper()
	var deployment appsv1.Deployment
	convert(t, ofKind(components(t), "Deployment")[0], &deployment)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "manager"}, Spec: deployment.Spec.Template.Spec}
	if err := m.Client.Create(t.Context(), pod); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return []string{"POD_NAMESPACE=" + namespace, "POD_NAME=" + pod.Name}
}

// configured waits until the Pod says that the configuration of the manager holds.
func (l *life) configured() {
	l.t.Helper()
	NewWithT(l.t).Eventually(func(g Gomega) {
		pod := &corev1.Pod{}
		g.Expect(l.management.Client.Get(l.t.Context(), client.ObjectKey{Namespace: namespace, Name: "manager"}, pod)).To(Succeed())
		g.Expect(pod.Status.Conditions).To(ContainElement(And(
			HaveField("Type", BeEquivalentTo("addons.cluster.x-k8s.io/ConfigurationValid")),
			HaveField("Status", corev1.ConditionTrue))))
	}).WithTimeout(patience).Should(Succeed(), l.manager.Log)
}

// deliver waits until the sample is Ready on a Cluster.
func (l *life) deliver() {
	l.t.Helper()
	g := NewWithT(l.t)
	for _, object := range objects(l.t, "samples") {
		object.SetNamespace(l.namespace)
		if object.GetKind() == "ClusterBundleSet" {
			g.Expect(unstructured.SetNestedField(object.Object, "Delete", "spec", "deletionPolicy")).To(Succeed())
			g.Expect(unstructured.SetNestedField(object.Object, "Hold", "spec", "kubernetesUpgrades")).To(Succeed())
		}
		g.Expect(l.management.Client.Create(l.t.Context(), &object)).To(Succeed())
	}
	cluster := l.addCluster("only", map[string]string{"greeting": "enabled"})
	l.eventuallyReady("1.0.0")
	before := cluster.DeepCopy()
	cluster.Spec.Topology = clusterv1.Topology{ClassRef: clusterv1.ClusterClassRef{Name: "none"}, Version: "v1.36.0"}
	g.Expect(l.management.Client.Patch(l.t.Context(), cluster, client.MergeFrom(before))).To(Succeed())
	l.eventuallyHeld(true)
}

// eventuallyHeld waits until the next upgrade of the Cluster is held back, or not.
func (l *life) eventuallyHeld(held bool) {
	l.t.Helper()
	cluster := &clusterv1.Cluster{}
	NewWithT(l.t).Eventually(func(g Gomega) {
		g.Expect(l.management.Client.Get(l.t.Context(), client.ObjectKey{Namespace: l.namespace, Name: "only"}, cluster)).To(Succeed())
		_, is := cluster.Annotations[v1alpha1.UpgradeHookAnnotation]
		g.Expect(is).To(Equal(held))
	}).WithTimeout(patience).Should(Succeed(), l.manager.Log)
}

// addCluster adds a Cluster, with a workload cluster of its own unless there is a target.
func (l *life) addCluster(name string, labels map[string]string) *clusterv1.Cluster {
	l.t.Helper()
	if l.target == nil {
		l.workload = testenv.NewProxy(l.t, testenv.NewWorkload(l.t, testenv.WorkloadOptions{}).APIServer)
		l.target = l.workload
	}
	return testenv.NewCluster(l.t, l.management, testenv.ClusterOptions{
		Namespace: l.namespace, Name: name, Labels: labels, Workload: l.target, Version: "v1.36.0",
	})
}

// upgrade adds a release and waits until it is Ready.
func (l *life) upgrade() {
	l.t.Helper()
	g := NewWithT(l.t)
	bundle := &v1alpha1.Bundle{}
	key := client.ObjectKey{Namespace: l.namespace, Name: "greeting"}
	g.Expect(l.management.Client.Get(l.t.Context(), key, bundle)).To(Succeed())
	next := *bundle.Spec.Releases[0].DeepCopy()
	next.Version = "1.0.1"
	inline := next.Phases[1].Sources[0].Inline
	inline.Manifests = strings.ReplaceAll(inline.Manifests, "Hello from", "Hello again from")
	bundle.Spec.Releases = append(bundle.Spec.Releases, next)
	g.Expect(l.management.Client.Update(l.t.Context(), bundle)).To(Succeed())
	l.eventuallyReady("1.0.1")
}

// uninstall deletes the set and waits until what it applied is gone.
func (l *life) uninstall() {
	l.t.Helper()
	g := NewWithT(l.t)
	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "greeting"}}
	g.Expect(l.management.Client.Delete(l.t.Context(), set)).To(Succeed())
	delivered := &v1alpha1.ClusterBundle{}
	g.Eventually(func() bool {
		key := client.ObjectKey{Namespace: l.namespace, Name: "greeting-only"}
		return apierrors.IsNotFound(l.management.Client.Get(l.t.Context(), key, delivered))
	}).WithTimeout(patience).Should(BeTrue(), l.manager.Log)
	deleted := slices.ContainsFunc(l.workload.Writes(), func(r testenv.Request) bool {
		return r.Verb == "delete" && r.Resource == "greetings"
	})
	g.Expect(deleted).To(BeTrue(), "what the set applied goes with it")
	l.eventuallyHeld(false)
	g.Expect(l.management.Client.DeleteAllOf(l.t.Context(), &v1alpha1.Bundle{}, client.InNamespace(l.namespace))).To(Succeed())
}

func (l *life) eventuallyReady(version string) {
	l.t.Helper()
	NewWithT(l.t).Eventually(func(g Gomega) {
		delivered := &v1alpha1.ClusterBundle{}
		key := client.ObjectKey{Namespace: l.namespace, Name: "greeting-only"}
		g.Expect(l.management.Client.Get(l.t.Context(), key, delivered)).To(Succeed())
		g.Expect(delivered.Spec.Version).To(Equal(version))
		ready := meta.FindStatusCondition(delivered.Status.Conditions, v1alpha1.ReadyCondition)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue))
		g.Expect(ready.ObservedGeneration).To(Equal(delivered.Generation))
	}).WithTimeout(patience).Should(Succeed(), l.manager.Log)
}

// argsOf returns the arguments of the manager.
func argsOf(t *testing.T, folder string) []string {
	t.Helper()
	container := unstructuredContainer(t, ofKind(objects(t, folder), "Deployment")[0])
	args, _, err := unstructured.NestedStringSlice(container, "args")
	if err != nil {
		t.Fatal(err)
	}
	return args
}

func unstructuredContainer(t *testing.T, deployment unstructured.Unstructured) map[string]any {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatal("want one container", err)
	}
	return containers[0].(map[string]any)
}

// accountKubeconfig writes a kubeconfig with the token of the manager's ServiceAccount,
// which names files as the configuration in a Pod does.
func accountKubeconfig(t *testing.T, m *testenv.Management) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "caapb-manager"}}
	request := &authenticationv1.TokenRequest{}
	if err := m.Client.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const only = "only"
	content, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			only: {Server: m.Config.Host, CertificateAuthority: file("ca.crt", m.Config.CAData)},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{only: {TokenFile: file("token", []byte(request.Status.Token))}},
		Contexts:       map[string]*clientcmdapi.Context{only: {Cluster: only, AuthInfo: only}},
		CurrentContext: only,
	})
	if err != nil {
		t.Fatal(err)
	}
	return file("kubeconfig", content)
}
