package bundle

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

const moveLabel = "clusterctl.cluster.x-k8s.io/move"

// login is the Secret that Bundles of the tests name.
var login = Named{Kind: secretKind, Namespace: "shop", Name: "login"}

// secretWith is that Secret with labels.
func secretWith(labels map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "login", Labels: labels}}
}

// naming returns a Bundle that names the Secrets.
func naming(bundle string, secrets ...string) *v1alpha1.Bundle {
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: bundle}}
	for _, name := range secrets {
		b.Spec.Releases = append(b.Spec.Releases, v1alpha1.Release{Phases: []v1alpha1.Phase{{
			Sources: []v1alpha1.Source{{Secret: &v1alpha1.SecretSource{Name: name}}},
		}}})
	}
	return b
}

// managementWith returns a management cluster, which counts patches.
func managementWith(t *testing.T, patches *int, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	count := func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		*patches++
		return c.Patch(ctx, o, p, opts...)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(copiesOf(objects)...).
		WithIndex(&v1alpha1.Bundle{}, referenceField, bundleReferences).
		WithInterceptorFuncs(interceptor.Funcs{Patch: count}).Build()
}

func TestClusterctlMovesWhatBundlesName(t *testing.T) {
	t.Parallel()
	ours := map[string]string{moveLabel: "addon-bundle", "team": "shop"}
	users := map[string]string{moveLabel: "", "team": "shop"}
	none := map[string]string{"team": "shop"}
	tests := map[string]struct {
		given   map[string]string
		bundles []client.Object
		want    map[string]string
		patches int
	}{
		"what a Bundle names gets the label":               {none, []client.Object{naming("a", "login")}, ours, 1},
		"what two Bundles name gets it once":               {none, []client.Object{naming("a", "login"), naming("b", "login")}, ours, 1},
		"what has it is not written":                       {ours, []client.Object{naming("a", "login")}, ours, 0},
		"what no Bundle names any more loses it":           {ours, []client.Object{naming("a", "other")}, none, 1},
		"what another Bundle still names keeps it":         {ours, []client.Object{naming("a", "other"), naming("b", "login")}, ours, 0},
		"a label of the user's is left as it is":           {users, []client.Object{naming("a", "login")}, users, 0},
		"a label of the user's stays where no Bundle is":   {users, nil, users, 0},
		"what no Bundle ever named is not written":         {none, []client.Object{naming("a", "other")}, none, 0},
		"a Bundle of another namespace names another":      {none, []client.Object{inNamespace("fleet", naming("a", "login"))}, none, 0},
		"a ConfigMap of the same name is not the Secret":   {none, []client.Object{namingConfigMap("a", "login")}, none, 0},
		"what a deleting Bundle names is not let go early": {ours, []client.Object{deleting(naming("a", "login"))}, ours, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patches := 0
			api := managementWith(t, &patches, append(tc.bundles, secretWith(tc.given))...)
			if _, err := (&MoveLabels{Client: api, Objects: cached{api}}).Reconcile(t.Context(), login); err != nil {
				t.Fatal(err)
			}
			secret := &corev1.Secret{}
			if err := api.Get(t.Context(), login.key(), secret); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, secret.Labels); diff != "" || patches != tc.patches {
				t.Errorf("want %d patches, got %d; labels (-want +got):\n%s", tc.patches, patches, diff)
			}
			if len(secret.OwnerReferences) > 0 {
				t.Errorf("want it to outlive the Bundle, got the owners %v", secret.OwnerReferences)
			}
		})
	}
}

// cached reads what is in the manager's cache of metadata.
type cached struct{ client.Reader }

func (c cached) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	err := c.Reader.Get(ctx, key, object, opts...)
	_, _ = capi.KeepMoveLabel(object) // it has no errors
	return err
}

func inNamespace(namespace string, b *v1alpha1.Bundle) *v1alpha1.Bundle {
	b.Namespace = namespace
	return b
}

func deleting(b *v1alpha1.Bundle) *v1alpha1.Bundle {
	b.DeletionTimestamp, b.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.com/x"}
	return b
}

func namingConfigMap(bundle, configMap string) *v1alpha1.Bundle {
	b := naming(bundle, "")
	b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: configMap}}
	return b
}

func TestALabelIsWrittenOnlyToTheObjectThatWasRead(t *testing.T) {
	t.Parallel()
	patches := 0
	api := managementWith(t, &patches, naming("a", "login"), secretWith(nil))
	conflicts := interceptor.NewClient(api.(client.WithWatch), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, p client.Patch, _ ...client.PatchOption) error {
			data, err := p.Data(o)
			if want := `{"metadata":{"labels":{"` + moveLabel + `":"addon-bundle"},"resourceVersion":"999"}}`; string(data) != want {
				t.Errorf("want the label and the version that was read, got %s, %v", data, err)
			}
			return apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "login", errors.New("it changed"))
		},
	})
	result, err := (&MoveLabels{Client: conflicts, Objects: conflicts}).Reconcile(t.Context(), login)
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("want it to be looked at again soon, got %+v, %v", result, err)
	}
	if _, err := (&MoveLabels{Client: api, Objects: api}).Reconcile(t.Context(), Named{secretKind, "shop", "gone"}); err != nil {
		t.Errorf("want nothing to do for what does not exist, got %v", err)
	}
}

// later is a queue that keeps what is added, and for how much later.
type later struct {
	workqueue.TypedRateLimitingInterface[Named]

	added map[Named]time.Duration
}

func (q *later) Add(item Named)                       { q.added[item] = 0 }
func (q *later) AddAfter(item Named, d time.Duration) { q.added[item] = d }

func TestABundleLeadsToWhatItNamesOrNamedBefore(t *testing.T) {
	t.Parallel()
	movedAway := naming("a", "login")
	movedAway.Annotations = map[string]string{"clusterctl.cluster.x-k8s.io/delete-for-move": ""}
	newer := naming("a", "other")
	newer.Generation = 2
	tests := map[string]struct {
		event func(context.Context, namedQueue)
		want  []string
	}{
		"that is created": {func(ctx context.Context, q namedQueue) {
			bundleEvents().Create(ctx, event.CreateEvent{Object: naming("a", "login", "other")}, q)
		}, []string{"login", "other"}},
		"that changes": {func(ctx context.Context, q namedQueue) {
			bundleEvents().Update(ctx, event.UpdateEvent{ObjectOld: naming("a", "login"), ObjectNew: newer}, q)
		}, []string{"login", "other"}},
		"of which only the status changes": {func(ctx context.Context, q namedQueue) {
			bundleEvents().Update(ctx, event.UpdateEvent{ObjectOld: naming("a", "login"), ObjectNew: naming("a", "login")}, q)
		}, nil},
		"that is deleted": {func(ctx context.Context, q namedQueue) {
			bundleEvents().Delete(ctx, event.DeleteEvent{Object: naming("a", "login")}, q)
		}, []string{"login"}},
		"that was moved away": {func(ctx context.Context, q namedQueue) {
			bundleEvents().Delete(ctx, event.DeleteEvent{Object: movedAway}, q)
		}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &later{added: make(map[Named]time.Duration)}
			tc.event(t.Context(), q)
			var got []string
			for named := range q.added {
				got = append(got, named.Name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// labelled is the metadata of the Secret with a value of the label; none for "-".
func labelled(value string) *metav1.PartialObjectMetadata {
	m := metadataOf(secretKind)
	m.Namespace, m.Name = login.Namespace, login.Name
	if value != "-" {
		m.Labels = map[string]string{moveLabel: value}
	}
	return m
}

func TestAnObjectIsLookedAtWhenItsLabelMayBeWrong(t *testing.T) {
	t.Parallel()
	type queue = map[Named]time.Duration
	created := func(value string, isInitial bool) metadataCreated {
		return metadataCreated{Object: labelled(value), IsInInitialList: isInitial}
	}
	tests := map[string]struct {
		event any
		want  queue
	}{
		"it appears without a label":                              {created("-", false), queue{login: 0}},
		"it is there when the manager starts":                     {created("addon-bundle", true), queue{login: 0}},
		"clusterctl creates it, maybe before the Bundle":          {created("addon-bundle", false), queue{}},
		"the user labels it himself":                              {created("", true), queue{}},
		"somebody takes the label away":                           {metadataUpdated{ObjectOld: labelled("addon-bundle"), ObjectNew: labelled("-")}, queue{login: labelAgain}},
		"it changes and keeps the label":                          {metadataUpdated{ObjectOld: labelled("addon-bundle"), ObjectNew: labelled("addon-bundle")}, queue{}},
		"it changes and never had a label, as no Bundle names it": {metadataUpdated{ObjectOld: labelled("-"), ObjectNew: labelled("-")}, queue{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patches := 0
			events := objectEvents(managementWith(t, &patches, naming("a", "login")), secretKind, "")
			q := &later{added: make(queue)}
			switch e := tc.event.(type) {
			case metadataCreated:
				events.Create(t.Context(), e, q)
			case metadataUpdated:
				events.Update(t.Context(), e, q)
			}
			if diff := cmp.Diff(tc.want, q.added); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnObjectThatOnlyOthersNameIsLeftToThem(t *testing.T) {
	t.Parallel()
	patches := 0
	api := managementWith(t, &patches, naming("a", "login"), secretWith(nil))
	q := &later{added: make(map[Named]time.Duration)}
	objectEvents(api, secretKind, "another").Create(t.Context(), metadataCreated{Object: labelled("-")}, q)
	objectEvents(api, configMapKind, "").Create(t.Context(), metadataCreated{Object: labelled("-")}, q)
	if len(q.added) > 0 {
		t.Errorf("want nothing, got %v", q.added)
	}
	named := Named{secretKind, "shop", "login"}
	labels := &MoveLabels{Client: api, Filter: "another", Objects: cached{api}}
	if _, err := labels.Reconcile(t.Context(), named); err != nil || patches > 0 {
		t.Errorf("want nothing written, got %v and %d patches", err, patches)
	}
}

// copiesOf returns copies of objects: a fake client writes to those that it is given, and
// tests that run at the same time may have the same.
func copiesOf(objects []client.Object) []client.Object {
	copies := make([]client.Object, len(objects))
	for i, object := range objects {
		copies[i] = object.DeepCopyObject().(client.Object)
	}
	return copies
}
