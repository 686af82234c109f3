package library

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// hostile is a Bundle of another team, which names servers that never end.
var hostile = types.NamespacedName{Namespace: "hostile", Name: "slow"}

// servers are web servers on loopback that send one byte, and no more before the test
// ends.
type servers struct {
	urls  []string
	asked chan string // who was asked for something
}

// newSilent starts so many servers.
func newSilent(t *testing.T, n int) *servers {
	t.Helper()
	s := &servers{asked: make(chan string, 1000)}
	for range n {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("#"))
			_ = http.NewResponseController(w).Flush()
			s.asked <- r.Host
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		s.urls = append(s.urls, server.URL)
	}
	return s
}

// wait waits until n requests are under way.
func (s *servers) wait(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-s.asked:
		case <-time.After(patience):
			t.Fatal("the servers are not asked")
		}
	}
}

// files are sources at the servers, one each.
func (s *servers) files() []v1alpha1.Source {
	sources := make([]v1alpha1.Source, len(s.urls))
	for i, url := range s.urls {
		sources[i] = httpsSource(url+"/a.yaml", fmt.Sprint("never seen ", i))
	}
	return sources
}

// artifacts are sources whose manifests are at the servers, one each.
func (s *servers) artifacts() []v1alpha1.Source {
	sources := make([]v1alpha1.Source, len(s.urls))
	for i, url := range s.urls {
		sources[i] = v1alpha1.Source{OCI: &v1alpha1.OCISource{
			Repository: url[len("http://"):] + "/a", Insecure: new(true),
			Digest: v1alpha1.Digest(digest.FromString(fmt.Sprint("never seen ", i))),
		}}
	}
	return sources
}

// charts are charts at the servers, one each.
func (s *servers) charts() []v1alpha1.Source {
	sources := make([]v1alpha1.Source, len(s.urls))
	for i, url := range s.urls {
		sources[i] = chartAt(url, digest.FromString(fmt.Sprint("never seen ", i)))
	}
	return sources
}

func chartAt(url string, sum digest.Digest) v1alpha1.Source {
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: url + "/probe.tgz", Version: "0.1.0", ReleaseName: "probe", Namespace: "default",
		Digest: v1alpha1.Digest(sum),
	}}
}

func TestSlowServersHoldUpOnlyTheNamespaceThatNamesThem(t *testing.T) {
	t.Parallel()
	packed := packedChart(t, asksWhatIsServed+"/chart")
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/probe.tgz" {
			_, _ = w.Write(packed)
			return
		}
		_, _ = w.Write([]byte(configMap("good")))
	}))
	t.Cleanup(good.Close)
	tests := map[string]struct {
		given func(*servers) []v1alpha1.Source
		want  int // how many of them are asked at once
	}{
		"files":     {(*servers).files, downloadsEach},
		"artifacts": {(*servers).artifacts, resolvesEach},
		"charts":    {(*servers).charts, resolvesEach},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := newSilent(t, 2*tc.want)
			l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t))
			for _, src := range tc.given(slow) { // one by one: charts wait for those before them
				_, err := l.Open(hostile, of(src))
				faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
			}
			slow.wait(t, tc.want)

			l.mustOpen(t, of(httpsSource(good.URL+"/a.yaml", configMap("good")), chartAt(good.URL, digest.FromBytes(packed))))

			if more := len(slow.asked); more > 0 {
				t.Errorf("want no more than %d requests of one namespace, got %d more", tc.want, more)
			}
		})
	}
}

func TestASlowPlaceForTheSameBytesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	packed := packedChart(t, asksWhatIsServed+"/chart")
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(packed) }))
	t.Cleanup(good.Close)
	manifests := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(configMap("good")))
	}))
	t.Cleanup(manifests.Close)
	tests := map[string]struct {
		given func(url string) v1alpha1.Source
		good  string
	}{
		"a file":  {func(url string) v1alpha1.Source { return httpsSource(url+"/a.yaml", configMap("good")) }, manifests.URL},
		"a chart": {func(url string) v1alpha1.Source { return chartAt(url, digest.FromBytes(packed)) }, good.URL},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := newSilent(t, 1)
			l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t))
			_, err := l.Open(hostile, of(tc.given(slow.urls[0])))
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
			slow.wait(t, 1)

			l.mustOpen(t, of(tc.given(tc.good)))
		})
	}
}

func TestWhatANamespaceQueuesHoldsUpNobodyWhoNamesTheSame(t *testing.T) {
	t.Parallel()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(configMap("good")))
	}))
	t.Cleanup(good.Close)
	slow := newSilent(t, downloadsEach)
	l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t))
	src := httpsSource(good.URL+"/a.yaml", configMap("good"))
	_, _ = l.Open(hostile, of(slow.files()...))
	slow.wait(t, downloadsEach)
	_, err := l.Open(hostile, of(src)) // it waits for a slot
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)

	l.mustOpen(t, of(src))
}

func TestWhatANamespaceRendersHoldsUpNobodyWhoRendersTheSame(t *testing.T) {
	t.Parallel()
	packed, endless := packedChart(t, asksWhatIsServed+"/chart"), packedChart(t, "testdata/endless")
	asked := make(chan string, 10)
	charts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked <- r.URL.Path; strings.HasPrefix(r.URL.Path, "/endless/") {
			_, _ = w.Write(endless)
			return
		}
		_, _ = w.Write(packed)
	}))
	t.Cleanup(charts.Close)
	l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t))
	for _, src := range []v1alpha1.Source{
		chartAt(charts.URL+"/endless", digest.FromBytes(endless)), chartAt(charts.URL, digest.FromBytes(packed)),
	} {
		_, err := l.Open(hostile, of(src)) // the second one waits for the child of the first
		faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
		<-asked
	}

	l.mustOpen(t, of(chartAt(charts.URL, digest.FromBytes(packed))))
}
