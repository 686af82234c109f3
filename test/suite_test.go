package test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// patience is how long a test waits for what must happen at last: long, since
// several API servers share the machine, and some of their controllers try again what
// failed only after half a minute or more.
const patience = 4 * time.Minute

func TestMain(m *testing.M) { testenv.Main(m, shared.end, trustTestServers()) }

// trustTestServers has the managers, which inherit the environment, verify the servers of
// httptest, which have one certificate. It returns what removes its file.
func trustTestServers() (end func()) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	dir, err := os.MkdirTemp("", "caapb-ca-")
	if err == nil {
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		err = errors.Join(os.WriteFile(dir+"/ca.pem", certificate, 0o600), os.Setenv("SSL_CERT_FILE", dir+"/ca.pem"))
	}
	if err != nil {
		panic(err) // no test could tell
	}
	return func() { _ = os.RemoveAll(dir) } // A folder that stays behind is no failure of a test.
}

// shared is the manager of all tests of the package that do not start their own.
var shared sharedManager

type sharedManager struct {
	once    sync.Once
	manager *testenv.Manager
	dir     string
	err     error
}

func (s *sharedManager) get(t *testing.T) *testenv.Manager {
	t.Helper()
	management := testenv.SharedManagement(t)
	s.once.Do(func() {
		s.dir, s.err = os.MkdirTemp("", "caapb-cache-") //nolint:usetesting // it outlives the test that needs it first
		if s.err != nil {
			return
		}
		s.manager, s.err = testenv.StartManager(context.Background(), testenv.ManagerOptions{
			Management: management, CacheDir: s.dir, Race: true, Args: []string{"--bundle-dir=testdata", "--resolve-interval=1s"},
		})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.manager
}

func (s *sharedManager) end() {
	if s.manager != nil {
		s.manager.Stop()
	}
	_ = os.RemoveAll(s.dir) // A folder that stays behind is no failure of a test.
}

// scenario is a namespace of the management cluster with a manager that works
// on it and a web server that has bundles.
type scenario struct {
	*WithT
	t          *testing.T
	management *testenv.Management
	manager    *testenv.Manager
	namespace  string
	web        *web
}

// newScenario returns a scenario with the shared manager.
func newScenario(t *testing.T) *scenario {
	t.Helper()
	return scenarioWith(t, testenv.SharedManagement(t), shared.get(t))
}

func scenarioWith(t *testing.T, management *testenv.Management, manager *testenv.Manager) *scenario {
	t.Helper()
	s := &scenario{
		WithT: NewWithT(t), t: t, management: management, manager: manager,
		namespace: testenv.NewNamespace(t, management.APIServer), web: newWeb(t),
	}
	s.SetDefaultEventuallyTimeout(patience)
	s.SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	t.Cleanup(s.clear) // behind the report
	t.Cleanup(s.reportFailure)
	return s
}

// clear removes what a manager would look after for as long as other tests run: Clusters
// that do not answer any more, and Bundles whose tags may move.
func (s *scenario) clear() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	defer cancel()
	all, inNamespace := &clusterv1.ClusterList{}, client.InNamespace(s.namespace)
	errs := []error{s.management.Client.List(ctx, all, inNamespace)}
	for _, cluster := range all.Items {
		errs = append(errs, client.IgnoreNotFound(s.management.Client.Delete(ctx, &cluster)),
			client.IgnoreNotFound(s.management.FinishDeletion(ctx, &cluster)))
	}
	for _, kind := range []client.Object{&v1alpha1.ClusterBundleSet{}, &v1alpha1.Bundle{}} {
		errs = append(errs, s.management.Client.DeleteAllOf(ctx, kind, inNamespace))
	}
	if err := errors.Join(errs...); err != nil {
		s.t.Logf("what the test made is still there: %v", err)
	}
}

// web is a web server that counts its requests.
type web struct {
	*httptest.Server
	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
	asked    map[string]int
}

func newWeb(t *testing.T) *web {
	t.Helper()
	w := &web{handlers: make(map[string]http.HandlerFunc), asked: make(map[string]int)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked[r.URL.Path]++
	serve := w.handlers[r.URL.Path]
	w.mu.Unlock()
	if serve == nil {
		http.NotFound(rw, r)
		return
	}
	serve(rw, r)
}

// handle registers the function for a path.
func (w *web) handle(path string, serve http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[path] = serve
}

// drip serves a byte every few seconds for a path, until the client is gone or ctx is
// done.
func (w *web) drip(ctx context.Context, path string) {
	w.handle(path, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "1000000")
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for r.Context().Err() == nil {
			if _, err := rw.Write([]byte("#")); err != nil || http.NewResponseController(rw).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
			case <-ctx.Done():
				return
			}
		}
	})
}

// publish serves the content and returns it as a source.
func (w *web) publish(name, content string) v1alpha1.Source {
	w.handle("/"+name, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(content)) })
	return w.source(name, content)
}

// source is a source at the server with the digest of the content.
func (w *web) source(name, content string) v1alpha1.Source {
	return v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
		URL: w.URL + "/" + name, Digest: v1alpha1.Digest(digest.FromString(content)),
	}}
}

// downloads returns how often each path was asked for.
func (w *web) downloads() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.asked)
}

func inline(manifests string) v1alpha1.Source {
	return v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: manifests}}
}

func phase(name string, sources ...v1alpha1.Source) v1alpha1.Phase {
	return v1alpha1.Phase{Name: name, Sources: sources}
}

func release(version string, phases ...v1alpha1.Phase) v1alpha1.Release {
	return v1alpha1.Release{Version: version, Phases: phases}
}

// bundle makes a Bundle.
func (s *scenario) bundle(name string, releases ...v1alpha1.Release) *v1alpha1.Bundle {
	s.t.Helper()
	b := &v1alpha1.Bundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec:       v1alpha1.BundleSpec{Releases: releases},
	}
	s.create(b)
	return b
}

// set makes a ClusterBundleSet that gives the Bundle of its name to the
// Clusters that are labelled so.
func (s *scenario) set(name string, change ...func(*v1alpha1.ClusterBundleSetSpec)) *v1alpha1.ClusterBundleSet {
	s.t.Helper()
	set := &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: optIn(name)},
			Bundle:          v1alpha1.BundleSelector{Name: name},
		},
	}
	for _, c := range change {
		c(&set.Spec)
	}
	s.create(set)
	return set
}

// optIn are the labels of a Cluster that the set selects.
func optIn(set string) map[string]string { return map[string]string{"addon": set} }

// cluster makes a Cluster that is labelled for the set.
func (s *scenario) cluster(name, set string, workload testenv.Connectable) *clusterv1.Cluster {
	s.t.Helper()
	return testenv.NewCluster(s.t, s.management, testenv.ClusterOptions{
		Namespace: s.namespace, Name: name, Labels: optIn(set), Workload: workload,
	})
}

func (s *scenario) create(object client.Object) {
	s.t.Helper()
	s.Expect(s.management.Client.Create(s.t.Context(), object)).To(Succeed())
}

// change edits an object of the management cluster, again if somebody else did.
func (s *scenario) change(object client.Object, edit func()) {
	s.t.Helper()
	s.Eventually(func() error {
		if err := s.management.Client.Get(s.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit()
		return s.management.Client.Update(s.t.Context(), object)
	}).Should(Succeed())
}

// clusterBundle reads a ClusterBundle.
func (s *scenario) clusterBundle(name string) (*v1alpha1.ClusterBundle, error) {
	cb := &v1alpha1.ClusterBundle{}
	return cb, s.management.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, cb)
}

// conditioned is an object with conditions.
type conditioned interface {
	client.Object
	GetConditions() []metav1.Condition
}

// state returns a function that returns the status, the reason and the message of
// a condition of the object in one line.
func (s *scenario) state(object conditioned, condition string) func() string {
	return func() string {
		if err := s.management.Client.Get(s.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(object.GetConditions(), condition)
		if c == nil {
			return "none"
		}
		return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	}
}

// named returns an empty ClusterBundle of that name, to read into.
func (s *scenario) named(name string) *v1alpha1.ClusterBundle {
	return &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
}

// ready is state for the Ready condition of a ClusterBundle.
func (s *scenario) ready(name string) func() string {
	return s.state(s.named(name), v1alpha1.ReadyCondition)
}

const isReady = "True Ready: "

// live reads an object of a workload cluster.
func (s *scenario) live(w *testenv.Workload, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	return u, w.Client.Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, u)
}

// configMap is the manifest of a ConfigMap with one value.
func configMap(namespace, name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: %s}\ndata: {value: %q}\n",
		namespace, name, value)
}

// crd is the manifest of a CustomResourceDefinition <plural>.<group> for the kind.
func crd(group, plural, kind string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[1]s}
spec:
  group: %[1]s
  scope: Cluster
  names: {plural: %[2]s, singular: %[4]s, kind: %[3]s, listKind: %[3]sList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`, group, plural, kind, strings.ToLower(kind))
}

// documents joins manifests into one stream.
func documents(manifests ...string) string { return strings.Join(manifests, "---\n") }

// appliesOf returns the paths of the server-side applies that a proxy saw, in order.
func appliesOf(p *testenv.Proxy) []string {
	var paths []string
	for _, r := range p.Requests() {
		if r.Verb == "patch" && r.ContentType == "application/apply-patch+yaml" {
			paths = append(paths, path.Join(r.Resource, r.Name))
		}
	}
	return paths
}

// kubeconfigSecret returns the Secret with the kubeconfig of a Cluster.
func (s *scenario) kubeconfigSecret(cluster string) *corev1.Secret {
	s.t.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: s.namespace, Name: cluster + "-kubeconfig"}
	s.Expect(s.management.Client.Get(s.t.Context(), key, secret)).To(Succeed())
	return secret
}

// decode reads a manifest into an object.
func (s *scenario) decode(manifest string, object any) {
	s.t.Helper()
	s.Expect(yaml.Unmarshal([]byte(manifest), object)).To(Succeed())
}

// events returns a function that reads the Kubernetes events about a ClusterBundle:
// type and reason. They are written in the background, some time after the status.
func (s *scenario) events(clusterBundle string) func() ([]string, error) {
	return func() ([]string, error) {
		list := &eventsv1.EventList{}
		err := s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))
		var events []string
		for _, e := range list.Items {
			if e.Regarding.Name == clusterBundle {
				events = append(events, e.Type+" "+e.Reason)
			}
		}
		return events, err
	}
}

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}
