package library

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

var (
	one = Cluster{Name: "one", UID: "1"}
	two = Cluster{Name: "two", UID: "2"}
)

// varyingResolver gives each Cluster what is at the URL of its name, and everybody else
// the placeholders that a tag stands for.
type varyingResolver struct{ shelfResolver }

const clusterURL = "https://example.com/cluster/"

func (r varyingResolver) Resolve(ctx context.Context, query source.Query) ([]source.Part, error) {
	parts, err := r.shelfResolver.Resolve(ctx, query)
	if err != nil {
		return nil, err
	}
	parts[0].Identity = "sha256:0+cluster"
	parts[0].ForCluster = func(_ context.Context, cluster Cluster) (source.Part, error) {
		shelf, _ := r.opener.(*shelf)
		shelf.mu.Lock()
		defer shelf.mu.Unlock()
		url := clusterURL + cluster.Name
		shelf.opened["for "+cluster.Name]++
		part, _ := r.Static(source.Query{Source: httpsSource(url, shelf.bodies[url])})
		part.Identity = parts[0].Identity
		return part, shelf.fails["for "+cluster.Name]
	}
	return parts, nil
}

// newVarying returns a library with a release that gives each Cluster bytes of its own,
// and what is heard of its Clusters.
func newVarying(t *testing.T) (l *library, r v1alpha1.Release, heard chan types.NamespacedName) {
	t.Helper()
	l = newLibrary(t, t.TempDir(), newShelf(), func(cfg *Config) {
		cfg.Sources = varyingResolver{cfg.Sources.(shelfResolver)}
	})
	heard = make(chan types.NamespacedName, 100)
	l.SubscribeClusters(func(name types.NamespacedName) { heard <- name })
	tag := l.tags.set("v1", l.shelf.put("https://example.com/placeholders", configMap("placeholder")), nil)
	for _, cluster := range []Cluster{one, two} {
		l.shelf.put(clusterURL+cluster.Name, configMap("of-"+cluster.Name))
	}
	return l, of(tag, l.shelf.put("https://example.com/shared", configMap("shared"))), heard
}

// openFor opens a release for a Cluster until it is there, on behalf of a ClusterBundle
// of the Cluster's name.
func (l *library) openFor(t *testing.T, shared *Bundle, cluster Cluster, heard chan types.NamespacedName) *Bundle {
	t.Helper()
	for {
		opened, err := l.OpenFor(types.NamespacedName{Name: cluster.Name}, shared, cluster)
		if err == nil {
			return opened
		}
		if !errors.Is(err, ErrFetching) {
			t.Fatal(err)
		}
		if got := <-heard; got.Name != cluster.Name {
			t.Errorf("want only %s told, got %s", cluster.Name, got)
		}
	}
}

// namesOfCluster returns the names of the objects of an opened release, as their bytes are.
func namesOfCluster(t *testing.T, opened *Bundle) []string {
	t.Helper()
	var names []string
	for object := range opened.Plan.All {
		if _, err := opened.JSON(*object); err != nil {
			t.Error(err)
		}
		names = append(names, object.Name)
	}
	slices.Sort(names)
	return names
}

func TestEachClusterGetsItsOwnBytesUnderOneDigest(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	for range 2 {
		for cluster, want := range map[Cluster][]string{one: {"of-one", "shared"}, two: {"of-two", "shared"}} {
			own := l.openFor(t, shared, cluster, heard)
			if got := namesOfCluster(t, own); !slices.Equal(got, want) {
				t.Errorf("Cluster %s: want %q, got %q", cluster.Name, want, got)
			}
			if own.Digest != shared.Digest {
				t.Errorf("want the digest %s of all Clusters, got %s", shared.Digest, own.Digest)
			}
		}
	}
	if got := namesOfCluster(t, l.mustOpen(t, r)); !slices.Equal(got, []string{"placeholder", "shared"}) {
		t.Errorf("want placeholders where there is no Cluster, got %q", got)
	}
	if counts := l.shelf.counts(); counts["for one"] != 1 || counts["for two"] != 1 {
		t.Errorf("want one rendering for each Cluster, got %v", counts)
	}
}

func TestWhatIsTheSameForAllClustersIsOpenedOnce(t *testing.T) {
	t.Parallel()
	l, _, _ := newVarying(t)
	shared := l.mustOpen(t, of(l.shelf.put("https://example.com/shared", configMap("shared"))))
	own, err := l.OpenFor(types.NamespacedName{Name: "one"}, shared, one)
	if own != shared || err != nil {
		t.Errorf("want the same Bundle, got %v and %v", own, err)
	}
}

func TestAClusterOfTheSameNameIsAnother(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	l.openFor(t, shared, one, heard)
	l.shelf.put(clusterURL+"one", configMap("anew"))
	own := l.openFor(t, shared, Cluster{Name: "one", UID: "3"}, heard)
	if got := namesOfCluster(t, own); !slices.Equal(got, []string{"anew", "shared"}) {
		t.Errorf("want what the new Cluster gets, got %q", got)
	}
}

func TestWhatAClusterGetsIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(l *library, heard chan types.NamespacedName){
		"after the interval": func(l *library, _ chan types.NamespacedName) { l.clock.Step(time.Minute) },
		"when asked": func(l *library, heard chan types.NamespacedName) {
			l.LookAgain(calico)
			<-heard // to look
		},
		"when what its source depends on changed": func(l *library, _ chan types.NamespacedName) {
			l.Invalidate(calico.Namespace, func(src v1alpha1.Source) bool { return src.OCI != nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, r, heard := newVarying(t)
			shared := l.mustOpen(t, r)
			l.openFor(t, shared, one, heard)
			l.shelf.put(clusterURL+"one", configMap("restored"))
			again(l, heard)
			l.openFor(t, shared, one, heard)
			<-heard // that it is another one
			if got := namesOfCluster(t, l.openFor(t, shared, one, heard)); !slices.Equal(got, []string{"restored", "shared"}) {
				t.Errorf("want what is there now, got %q", got)
			}
		})
	}
}

func TestWhoHasWhatAClusterGetsIsToldToLookAgain(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	l.openFor(t, shared, one, heard)
	l.LookAgain(types.NamespacedName{Namespace: "default", Name: "another"})
	if len(heard) > 0 {
		t.Error("want nobody told about the sources of another Bundle")
	}
	l.LookAgain(calico)
	if got := <-heard; got.Name != "one" {
		t.Errorf("want the ClusterBundle of one told, got %s", got)
	}
}

func TestAClusterKeepsWhatItHasWhileThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	l.openFor(t, shared, one, heard)
	l.shelf.fail("for one", errors.New("the API server is away"))
	l.clock.Step(time.Minute)
	l.openFor(t, shared, one, heard)
	<-heard
	own := l.openFor(t, shared, one, heard)
	if own.Problem == nil || !slices.Equal(namesOfCluster(t, own), []string{"of-one", "shared"}) {
		t.Errorf("want what it had and why it is not looked at, got %q and %v", namesOfCluster(t, own), own.Problem)
	}
}

func TestAClusterThatFailsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	l.shelf.fail("for one", errors.New("the chart is wrong"))
	_, _ = l.OpenFor(types.NamespacedName{Name: "one"}, shared, one)
	<-heard
	if _, err := l.OpenFor(types.NamespacedName{Name: "one"}, shared, one); err == nil || errors.Is(err, ErrFetching) {
		t.Errorf("want the error of the Cluster, got %v", err)
	}
	l.openFor(t, shared, two, heard)
}

func TestClustersThatNobodyAsksForAreForgotten(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	shared := l.mustOpen(t, r)
	l.openFor(t, shared, one, heard)
	l.clock.Step(2 * 24 * time.Hour)
	l.openFor(t, shared, two, heard)
	if got := countJobs(l.clusters.jobs); got != 1 {
		t.Errorf("want one Cluster remembered, got %d", got)
	}
}
