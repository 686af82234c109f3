package test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// calicoChain are the releases of Calico in the catalogue, from that with one file
// for definitions and operator to those with three files.
var calicoChain = []string{"3.29.7", "3.30.7", "3.31.7", "3.32.1"}

// anyCalico returns the Bundle of Calico for whatever version of Kubernetes: the API
// server of the tests is of one version only.
func (s *scenario) anyCalico() *v1alpha1.Bundle {
	s.t.Helper()
	bundle := s.catalogue("calico")
	for i := range bundle.Spec.Releases {
		bundle.Spec.Releases[i].Kubernetes = ""
	}
	return bundle
}

// object says where the object of a document is.
type object struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// isCRD reports whether it is a CustomResourceDefinition.
func (o object) isCRD() bool { return o.kind.Kind == "CustomResourceDefinition" }

// empty returns the object without its content.
func (o object) empty() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(o.kind)
	u.SetNamespace(o.namespace)
	u.SetName(o.name)
	return u
}

// published are the documents of a release as they were published, read without the
// code that is tested.
type published map[object]map[string]any

// publishedBy reads the files of a release from the web server.
func (s *scenario) publishedBy(bundle *v1alpha1.Bundle, version string) published {
	s.t.Helper()
	all := make(published)
	release := bundle.Spec.Releases[slices.IndexFunc(bundle.Spec.Releases, isVersion(version))]
	for _, phase := range release.Phases {
		for _, source := range phase.Sources {
			for _, document := range s.documentsAt(source.HTTPS.URL) {
				u := &unstructured.Unstructured{Object: document}
				o := object{u.GroupVersionKind(), u.GetNamespace(), u.GetName()}
				s.Expect(all).NotTo(HaveKey(o))
				all[o] = document
			}
		}
	}
	return all
}

// open reads a file of the web server.
func (s *scenario) open(url string) io.Reader {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, http.NoBody)
	s.Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	s.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	s.Expect(err).NotTo(HaveOccurred())
	return bytes.NewReader(content)
}

// documentsAt reads a YAML file. What only an API server writes is left out.
func (s *scenario) documentsAt(url string) []map[string]any {
	s.t.Helper()
	var found []map[string]any
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(s.open(url))); ; {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		s.Expect(err).NotTo(HaveOccurred())
		document := make(map[string]any)
		s.Expect(yaml.Unmarshal(text, &document)).To(Succeed())
		if len(document) == 0 {
			continue // nothing but comments
		}
		delete(document, "status")
		unstructured.RemoveNestedField(document, "metadata", "creationTimestamp")
		found = append(found, document)
	}
}

// difference is what one release has in another way than the one before it.
type difference struct{ differs, left []object }

// since returns the difference of a release from the one before it.
func (p published) since(before published) difference {
	var d difference
	for o, document := range p {
		if !reflect.DeepEqual(before[o], document) {
			d.differs = append(d.differs, o)
		}
	}
	for o := range before {
		if _, stays := p[o]; !stays {
			d.left = append(d.left, o)
		}
	}
	return d
}

// calicoUpgrade is Calico on a workload cluster of its own, which is upgraded.
type calicoUpgrade struct {
	*scenario

	workload *testenv.Workload
	seen     *testenv.Proxy
	bundle   *v1alpha1.Bundle
	set      *v1alpha1.ClusterBundleSet
	// foreign are objects that are not the set's, and as what they were made.
	foreign map[object]string
	// counted is how many requests have been counted.
	counted int
}

const calicoCluster = "calico-lyon"

// installCalico installs the first release of the chain.
func (s *scenario) installCalico(change ...func(*v1alpha1.ClusterBundleSetSpec)) *calicoUpgrade {
	s.t.Helper()
	u := &calicoUpgrade{scenario: s, bundle: s.anyCalico()}
	u.workload = testenv.NewWorkload(s.t, testenv.WorkloadOptions{Nodes: 1})
	u.seen = testenv.NewProxy(s.t, u.workload.APIServer)
	s.create(u.bundle)
	u.set = s.set("calico", append(change, atVersion(calicoChain[0]))...)
	s.cluster("lyon", "calico", u.seen)
	s.Eventually(s.ready(calicoCluster)).Should(Equal(waitsForTigeraStatus))
	s.tigeraStatusAvailable(u.workload)
	u.isReadyAt(calicoChain[0])
	u.foreign = s.foreignObjects(u.workload, inventory.ParentOf(s.namespace, "calico"))
	return u
}

func atVersion(version string) func(*v1alpha1.ClusterBundleSetSpec) {
	return func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Bundle.Version = version }
}

// isReadyAt waits until a release is complete and ready.
func (u *calicoUpgrade) isReadyAt(version string) {
	u.t.Helper()
	u.Eventually(u.undelivered(version, 1)).Should(BeEmpty())
}

// foreignObjects makes objects beside those of Calico: of a kind of Calico's, in its
// Namespace, and one with the label of a member as a controller copies it.
func (s *scenario) foreignObjects(w *testenv.Workload, parent inventory.Parent) map[object]string {
	s.t.Helper()
	versions := make(map[object]string)
	for _, manifest := range []string{
		"apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: theirs}\nspec: {cidr: 10.9.0.0/16}\n",
		configMap("tigera-operator", "theirs", "x"),
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: theirs, labels: {" +
			inventory.PartOfLabel + ": " + parent.ID() + "}}\nrules: []\n",
	} {
		u := &unstructured.Unstructured{}
		s.decode(manifest, &u.Object)
		s.Expect(w.Client.Create(s.t.Context(), u)).To(Succeed())
		versions[object{u.GroupVersionKind(), u.GetNamespace(), u.GetName()}] = u.GetResourceVersion()
	}
	return versions
}

// areUntouched expects that nobody changed the foreign objects.
func (s *scenario) areUntouched(w *testenv.Workload, foreign map[object]string) {
	s.t.Helper()
	for o, version := range foreign {
		u := o.empty()
		s.Expect(w.Client.Get(s.t.Context(), client.ObjectKeyFromObject(u), u)).To(Succeed())
		s.Expect(u.GetResourceVersion()).To(Equal(version), "%v is not the set's", o)
	}
}

// uids returns the UID of each object that there is.
func (s *scenario) uids(w *testenv.Workload, objects published) map[object]types.UID {
	s.t.Helper()
	uids := make(map[object]types.UID)
	for o := range objects {
		u := o.empty()
		err := w.Client.Get(s.t.Context(), client.ObjectKeyFromObject(u), u)
		if apierrors.IsNotFound(err) {
			continue
		}
		s.Expect(err).NotTo(HaveOccurred())
		uids[o] = u.GetUID()
	}
	return uids
}

// pathsOf returns the objects as a proxy sees them: resource and name, sorted.
func (s *scenario) pathsOf(w *testenv.Workload, objects []object) []string {
	s.t.Helper()
	paths := make([]string, 0, len(objects))
	for _, o := range objects {
		mapping, err := w.Client.RESTMapper().RESTMapping(o.kind.GroupKind(), o.kind.Version)
		s.Expect(err).NotTo(HaveOccurred())
		paths = append(paths, path.Join(mapping.Resource.Resource, o.name))
	}
	slices.Sort(paths)
	return paths
}

// isAsPublished expects the objects of a release to be as it has them, with nothing
// left that the set applied before: to apply them again would change nothing.
func (s *scenario) isAsPublished(w *testenv.Workload, parent inventory.Parent, objects published) {
	s.t.Helper()
	for o, document := range objects {
		live := o.empty()
		s.Expect(w.Client.Get(s.t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
		again := (&unstructured.Unstructured{Object: document}).DeepCopy()
		again.SetLabels(with(again.GetLabels(), inventory.PartOfLabel, parent.ID()))
		again.SetAnnotations(with(again.GetAnnotations(), inventory.SHA256Annotation, live.GetAnnotations()[inventory.SHA256Annotation]))
		s.Expect(w.Client.Apply(s.t.Context(), client.ApplyConfigurationFromUnstructured(again),
			client.FieldOwner(parent.FieldManager()), client.ForceOwnership, client.DryRunAll)).To(Succeed())
		live.SetManagedFields(nil)
		again.SetManagedFields(nil)
		s.Expect(again.Object).To(Equal(live.Object), "%v is as the release has it", o)
	}
}

// with returns the labels or annotations with one more.
func with(marks map[string]string, key, value string) map[string]string {
	marks = maps.Clone(marks)
	if marks == nil {
		marks = make(map[string]string)
	}
	marks[key] = value
	return marks
}

// newWrites returns the objects that were applied and those that were deleted since
// the last call, sorted. It expects that beside them only the parent was written.
func (u *calicoUpgrade) newWrites() (applied, deleted []string) {
	u.t.Helper()
	applied, deleted = []string{}, []string{}
	requests := u.seen.Requests()
	for _, r := range requests[u.counted:] {
		at := path.Join(r.Resource, r.Name)
		switch {
		case !r.IsWrite():
		case r.Verb == "patch":
			applied = append(applied, at)
		case r.Verb == "delete":
			deleted = append(deleted, at)
		default:
			u.Expect(r.Namespace+"/"+r.Resource).To(Equal("kube-system/configmaps"), "it is the parent: %s %s", r.Verb, at)
		}
		u.Expect(!r.IsWrite() || r.Status/100 == 2).To(BeTrue(), "%s %s: %d", r.Verb, at, r.Status)
	}
	u.counted = len(requests)
	slices.Sort(applied)
	slices.Sort(deleted)
	return applied, deleted
}

// keeps expects that the objects of two releases that are in both are the same ones,
// and that of those that are only in the first no more than the definitions remain
// that the policy keeps.
func (u *calicoUpgrade) keeps(before map[object]types.UID, first, second published) {
	u.t.Helper()
	after := u.uids(u.workload, first)
	for o, uid := range before {
		if _, stays := second[o]; stays || o.isCRD() && u.set.Spec.CRDs != v1alpha1.DeleteCRDPolicy {
			u.Expect(after).To(HaveKeyWithValue(o, uid), "it is the same object")
		} else {
			u.Expect(after).NotTo(HaveKey(o), "it left the release")
		}
	}
}

func TestCalicoIsUpgradedInPlaceReleaseByRelease(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	u := s.installCalico()
	parent := inventory.ParentOf(s.namespace, "calico")
	// there is what is in the cluster: definitions that left a release are, too.
	there := s.publishedBy(u.bundle, calicoChain[0])
	applied, _ := u.newWrites()
	s.Expect(applied).To(Equal(s.pathsOf(u.workload, slices.Collect(maps.Keys(there)))), "each object is applied once")

	// In the end it goes back to the first, which has fewer objects.
	for _, version := range append(slices.Clone(calicoChain[1:]), calicoChain[0]) {
		next := s.publishedBy(u.bundle, version)
		difference, before := next.since(there), s.uids(u.workload, there)
		s.change(u.set, func() { u.set.Spec.Bundle.Version = version })
		u.isReadyAt(version)
		applied, deleted := u.newWrites()
		s.Expect(applied).To(Equal(s.pathsOf(u.workload, difference.differs)), "what differs is applied once to get to %s", version)
		s.Expect(deleted).To(Equal(s.pathsOf(u.workload, slices.DeleteFunc(difference.left, object.isCRD))))
		t.Logf("to %s: of %d objects %d were applied, %d deleted", version, len(next), len(applied), len(deleted))
		u.keeps(before, there, next)
		s.isAsPublished(u.workload, parent, next)
		maps.DeleteFunc(there, func(o object, _ map[string]any) bool { return !o.isCRD() })
		maps.Copy(there, next)
	}
	s.areUntouched(u.workload, u.foreign)
}

// standings are the standings that a ClusterBundle had, one after the other: the
// version that was pinned, and whether it was ready.
type standings struct {
	mu   sync.Mutex
	seen []string
}

func (h *standings) add(cb *v1alpha1.ClusterBundle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	standing := cb.Spec.Version
	if cb.Status.ObservedGeneration == cb.Generation && meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.ReadyCondition) {
		standing += " is ready"
	}
	if len(h.seen) == 0 || h.seen[len(h.seen)-1] != standing {
		h.seen = append(h.seen, standing)
	}
}

// list returns the standings until now.
func (h *standings) list() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// watchStandings watches a ClusterBundle from now on.
func (s *scenario) watchStandings(name string) *standings {
	s.t.Helper()
	c, err := client.NewWithWatch(s.management.Config, client.Options{Scheme: testenv.Scheme()})
	s.Expect(err).NotTo(HaveOccurred())
	events, err := c.Watch(s.t.Context(), &v1alpha1.ClusterBundleList{},
		client.InNamespace(s.namespace), client.MatchingFields{"metadata.name": name})
	s.Expect(err).NotTo(HaveOccurred())
	s.t.Cleanup(events.Stop)
	found := &standings{}
	go func() {
		for event := range events.ResultChan() {
			if cb, ok := event.Object.(*v1alpha1.ClusterBundle); ok {
				found.add(cb)
			}
		}
	}()
	return found
}

// What left a release is removed on the way, definitions too as the set has it.
func TestCalicoGoesThroughEachMinorVersionByItself(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	u := s.installCalico(func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.UpgradePath, spec.CRDs = v1alpha1.EachMinorUpgradePath, v1alpha1.DeleteCRDPolicy
	})
	var wantApplied, wantDeleted []object
	first := s.publishedBy(u.bundle, calicoChain[0])
	before, last := s.uids(u.workload, first), first
	for _, version := range calicoChain[1:] {
		next := s.publishedBy(u.bundle, version)
		difference := next.since(last)
		wantApplied, wantDeleted = append(wantApplied, difference.differs...), append(wantDeleted, difference.left...)
		last = next
	}
	u.newWrites() // those of the install
	seen := s.watchStandings(calicoCluster)

	s.change(u.set, func() { u.set.Spec.Bundle.Version = calicoChain[3] })
	u.isReadyAt(calicoChain[3])
	s.Eventually(seen.list).Should(Equal([]string{
		"3.29.7 is ready", "3.30.7", "3.30.7 is ready", "3.31.7", "3.31.7 is ready", "3.32.1", "3.32.1 is ready",
	}))
	s.Eventually(s.notes(calicoCluster)).Should(ConsistOf(
		"release 3.30.7 is pinned in place of 3.29.7: on the way to 3.32.1",
		"release 3.31.7 is pinned in place of 3.30.7: on the way to 3.32.1",
		"release 3.32.1 is pinned in place of 3.31.7: the version constraint of the set is 3.32.1"))
	applied, deleted := u.newWrites()
	s.Expect(applied).To(Equal(s.pathsOf(u.workload, wantApplied)))
	s.Expect(deleted).To(Equal(s.pathsOf(u.workload, wantDeleted)))
	u.keeps(before, first, last)
	s.isAsPublished(u.workload, inventory.ParentOf(s.namespace, "calico"), last)
	s.areUntouched(u.workload, u.foreign)
}
