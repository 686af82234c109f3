package simulator

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// start returns a fleet that is stopped when the test ends.
func start(t testing.TB, o Options) *Fleet {
	t.Helper()
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// versionOf reads the version of a cluster through what the manager uses of its
// kubeconfig.
func versionOf(t testing.TB, c *Cluster) (string, error) {
	t.Helper()
	safe, err := capi.SafeKubeconfig(c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(safe)
	if err != nil {
		t.Fatal(err)
	}
	config.Timeout = 10 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}

func TestEachClusterHasAnAddressAndCountersOfItsOwn(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 300, Kubernetes: "v1.35.1"})
	for _, i := range []int{0, 1, 299} {
		version, err := versionOf(t, f.Cluster(i))
		if err != nil || version != "v1.35.1" {
			t.Errorf("cluster %d: want v1.35.1, got %q, %v", i, version, err)
		}
	}
	if got := f.Counters().Count("get", "/version"); got != 3 {
		t.Errorf("want 3 requests of all, got %d", got)
	}
	if got := f.Cluster(2).Counters().Total(); got != 0 {
		t.Errorf("want no request of one that nobody asked, got %d", got)
	}
	if address := f.Cluster(299).Address(); !strings.HasPrefix(address, "127.1.1.43:") {
		t.Errorf("want the 300th address behind 127.1.0.0, got %s", address)
	}
}

func TestAClusterTakesItsOwnTokenOnly(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 2})
	config := f.Cluster(0).Config()
	config.BearerToken = f.Cluster(1).Config().BearerToken
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(get(t, config.Host+"/version"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("want 401, got %d", response.StatusCode)
	}
	if got := f.Cluster(0).Counters().Failures[http.StatusUnauthorized]; got != 1 {
		t.Errorf("want it to be counted, got %d", got)
	}
}

func TestWhatTheMachineCannotDoIsSaidBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 1})
	tests := map[string]struct {
		given Options
		want  string
	}{
		"a port in use":     {Options{Clusters: 1, Port: f.port}, "is in use"},
		"no clusters":       {Options{}, "there may be 1 to"},
		"no more addresses": {Options{Clusters: maxClusters + 1}, "there may be 1 to"},
		"too few files":     {Options{Clusters: maxClusters}, "ulimit -n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started, err := Start(t.Context(), tc.given)
			if err == nil {
				started.Stop()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given     Fault
		wantCodes []int // of three requests, 0 for none
	}{
		"none":              {Fault{}, []int{200, 200, 200}},
		"too many requests": {Fault{Status: 429, RetryAfter: 3 * time.Second}, []int{429, 429, 429}},
		"every second":      {Fault{Status: 503, Every: 2}, []int{200, 503, 200}},
		"of another verb":   {Fault{Status: 500, Verb: "list"}, []int{200, 200, 200}},
		"of another path":   {Fault{Status: 500, Resource: "pods"}, []int{200, 200, 200}},
		"a cut":             {Fault{Cut: true}, []int{0, 0, 0}},
		"silence":           {Fault{Silence: true}, []int{0, 0, 0}},
		"late":              {Fault{Latency: time.Hour}, []int{0, 0, 0}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, Options{Clusters: 2})
			f.Cluster(0).SetFaults(tc.given)
			patience := long
			if tc.wantCodes[0] == 0 && !tc.given.Cut {
				patience = short
			}
			var codes []int
			for range tc.wantCodes {
				codes = append(codes, codeOf(t, f.Cluster(0), patience))
			}
			if !slices.Equal(tc.wantCodes, codes) {
				t.Errorf("want %v, got %v", tc.wantCodes, codes)
			}
			if got := codeOf(t, f.Cluster(1), long); got != 200 {
				t.Errorf("want the other cluster to answer, got %d", got)
			}
			f.Cluster(0).SetFaults()
			f.SetFaults(tc.given)
			if got := codeOf(t, f.Cluster(1), patience); got != tc.wantCodes[0] {
				t.Errorf("as a fault of the fleet: want %d, got %d", tc.wantCodes[0], got)
			}
		})
	}
}

// How long an answer is waited for that comes, and one that does not.
const long, short = time.Minute, 200 * time.Millisecond

// get returns a request to read.
func get(t testing.TB, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// codeOf returns the status of the answer to one request, 0 if there is none.
func codeOf(t testing.TB, c *Cluster, patience time.Duration) int {
	t.Helper()
	config := c.Config()
	config.Timeout = patience
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(get(t, config.Host+"/version"))
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestABlackHoleAcceptsAndNeverAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 2})
	if got := codeOf(t, f.Cluster(0), long); got != 200 {
		t.Fatalf("want an answer before, got %d", got)
	}
	f.Cluster(0).SetBlackHole(true)
	if got := codeOf(t, f.Cluster(0), short); got != 0 {
		t.Errorf("want no answer, got %d", got)
	}
	if got := codeOf(t, f.Cluster(1), long); got != 200 {
		t.Errorf("want the other cluster to answer, got %d", got)
	}
	f.Cluster(0).SetBlackHole(false)
	// The client may not know yet that its connection was cut.
	testenv.Eventually(t, "an answer after its end", func() bool { return codeOf(t, f.Cluster(0), long) == 200 })
}
