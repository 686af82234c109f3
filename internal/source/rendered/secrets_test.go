package rendered_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
)

// manifest is what no message may repeat.
const manifest = "kind: Secret\nstringData: {word: hunter2}\n"

// prod is the Cluster prod.
func prod(change ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "fleet", Name: "prod", UID: "1"}}
	for _, c := range change {
		c(cluster)
	}
	return cluster
}

// web is a rendering for prod.
func web() rendered.Rendering {
	return rendered.Rendering{
		Cluster: types.NamespacedName{Namespace: "fleet", Name: "prod"}, UID: "1",
		Identity: "sha256:1", Chart: "chart https://example.com/web 1.2.3",
	}
}

func management(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) (rendered.Secrets, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), clusterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
	return rendered.Secrets{Reader: c, Creator: c}, c
}

func unpacked(t *testing.T, packed []byte) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func secretOf(t *testing.T, c client.Client) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "fleet", Name: web().SecretName()}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestWhatIsKeptBelongsToItsCluster(t *testing.T) {
	t.Parallel()
	secrets, c := management(t, interceptor.Funcs{}, prod())
	if kept, err := secrets.Load(t.Context(), web()); kept != nil || err != nil {
		t.Fatalf("want nothing yet, got %q and %v", kept, err)
	}
	saved, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest))
	if err != nil || unpacked(t, saved) != manifest {
		t.Fatalf("want the manifest, got %v", err)
	}
	kept, err := secrets.Load(t.Context(), web())
	if err != nil || !bytes.Equal(kept, saved) {
		t.Errorf("want what was saved, got %v", err)
	}
	secret := secretOf(t, c)
	want := metav1.OwnerReference{APIVersion: "cluster.x-k8s.io/v1beta2", Kind: "Cluster", Name: "prod", UID: "1"}
	if len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0] != want {
		t.Errorf("want the Cluster as owner, not as controller, got %v", secret.OwnerReferences)
	}
	if !strings.HasPrefix(secret.Name, "prod-rendered-") || secret.Type != "addons.cluster.x-k8s.io/rendered" ||
		!*secret.Immutable || secret.Labels["addons.cluster.x-k8s.io/cluster"] != "prod" ||
		secret.Annotations["addons.cluster.x-k8s.io/chart"] != "chart https://example.com/web 1.2.3" {
		t.Errorf("got %s %s %v %v", secret.Name, secret.Type, secret.Labels, secret.Annotations)
	}
	if _, ok := secret.Labels[clusterv1.ClusterNameLabel]; ok {
		t.Error("want no label that has the managers of Cluster API cache the content")
	}
	other := web()
	other.Identity = "sha256:2"
	if other.SecretName() == web().SecretName() {
		t.Error("want another Secret for another identity")
	}
}

func TestTheFirstOfTwoThatSaveWins(t *testing.T) {
	t.Parallel()
	secrets, _ := management(t, interceptor.Funcs{}, prod())
	first, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	second, err := secrets.Save(t.Context(), web(), strings.NewReader("kind: Other\n"))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("want what was there, got %q and %v", second, err)
	}
}

func TestNothingIsCreatedForAClusterThatIsToBeLeftAlone(t *testing.T) {
	t.Parallel()
	now := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, test := range map[string]struct {
		given  []client.Object
		reason string
	}{
		"gone":    {nil, v1alpha1.ClusterNotFoundReason},
		"another": {[]client.Object{prod(func(c *clusterv1.Cluster) { c.UID = "2" })}, v1alpha1.ClusterNotFoundReason},
		"being deleted": {[]client.Object{prod(func(c *clusterv1.Cluster) {
			c.DeletionTimestamp, c.Finalizers = &now, []string{"example.com/x"}
		})}, v1alpha1.ClusterNotFoundReason},
		"paused": {[]client.Object{prod(func(c *clusterv1.Cluster) { c.Spec.Paused = new(true) })}, v1alpha1.PausedReason},
		"paused by annotation": {[]client.Object{prod(func(c *clusterv1.Cluster) {
			c.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
		})}, v1alpha1.PausedReason},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var created int
			secrets, _ := management(t, interceptor.Funcs{
				Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
					created++
					return nil
				},
			}, test.given...)
			_, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest))
			if fault.ClassOf(err) != fault.ClassWait || fault.ReasonOf(err, "") != test.reason || created > 0 {
				t.Errorf("want to wait with %s and nothing created, got %d and %v", test.reason, created, err)
			}
		})
	}
}

func TestASecretThatCannotBeUsedIsNamedWithTheWayOut(t *testing.T) {
	t.Parallel()
	change := func(edit func(*corev1.Secret)) *corev1.Secret {
		secrets, c := management(t, interceptor.Funcs{}, prod())
		if _, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest)); err != nil {
			t.Fatal(err)
		}
		secret := secretOf(t, c)
		secret.ResourceVersion = ""
		edit(secret)
		return secret
	}
	for name, test := range map[string]struct {
		given *corev1.Secret
		class fault.Class
		want  string
	}{
		"of another type": {
			change(func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }), fault.ClassStall, "delete it",
		},
		"without content": {change(func(s *corev1.Secret) { s.Data = nil }), fault.ClassStall, "delete it"},
		"cut off": {change(func(s *corev1.Secret) {
			s.Data["manifests.yaml.gz"] = s.Data["manifests.yaml.gz"][:20]
		}), fault.ClassStall, "delete it"},
		"of an earlier Cluster": {
			change(func(s *corev1.Secret) { s.OwnerReferences[0].UID = "0" }), fault.ClassWait, "earlier Cluster",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secrets, _ := management(t, interceptor.Funcs{}, prod(), test.given)
			_, err := secrets.Load(t.Context(), web())
			if fault.ClassOf(err) != test.class || !strings.Contains(err.Error(), "Secret "+web().SecretName()+": ") ||
				!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want %v that names the Secret and %q, got %v", test.class, test.want, err)
			}
		})
	}
}

func TestARestoredSecretIsUsedWithoutItsOwner(t *testing.T) {
	t.Parallel()
	secrets, c := management(t, interceptor.Funcs{}, prod())
	saved, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	secret := secretOf(t, c)
	secret.OwnerReferences = nil
	if err := c.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if kept, err := secrets.Load(t.Context(), web()); err != nil || !bytes.Equal(kept, saved) {
		t.Errorf("want what was saved, got %v", err)
	}
}

func TestWhatNoSecretCanKeepIsRefused(t *testing.T) {
	t.Parallel()
	secrets, _ := management(t, interceptor.Funcs{}, prod())
	noise := rand.NewChaCha8([32]byte{}) // it cannot be compressed
	_, err := secrets.Save(t.Context(), web(), io.LimitReader(noise, 1_100_000))
	if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.LimitExceededReason ||
		!strings.Contains(err.Error(), "1000000 bytes") {
		t.Errorf("want the limit, got %v", err)
	}
}

func TestAnAPIServerThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, funcs := range map[string]interceptor.Funcs{
		"creating": {Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return down }},
		"reading": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		}},
	} {
		secrets, _ := management(t, funcs, prod())
		_, err := secrets.Save(t.Context(), web(), strings.NewReader(manifest))
		if !errors.Is(err, down) || fault.ClassOf(err) != fault.ClassRetry {
			t.Errorf("%s: want a Retry, got %v", name, err)
		}
	}
}
