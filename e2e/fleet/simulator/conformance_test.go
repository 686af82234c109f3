package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// peer is an API server that requests are sent to: a simulated one or a real one.
type peer struct {
	name   string
	host   string
	client *http.Client
	// namespace is the one of the case, of which the name differs.
	namespace string
	// uid and revision are those of the last object that was answered.
	uid, revision string
}

func peerOf(t testing.TB, name string, config *rest.Config) *peer {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{name: name, host: config.Host, client: client}
}

// peers returns a simulated cluster and a real one.
func peers(t testing.TB) (simulated, real *peer) {
	t.Helper()
	// No controller of workloads runs beside the real one.
	f := start(t, Options{Clusters: 1, ReadyAfter: 24 * time.Hour})
	return peerOf(t, "simulated", f.Cluster(0).Config()), peerOf(t, "real", testenv.SharedWorkload(t).Config)
}

// Content types and forms.
const (
	applyJSON    = "application/apply-patch+yaml"
	mergeJSON    = "application/merge-patch+json"
	patchJSON    = "application/json-patch+json"
	strategic    = "application/strategic-merge-patch+json"
	asMetadata   = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
	asMetaList   = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
	asAggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
)

// call is a request. NS, UID and RV in it stand for what the peer has.
type call struct {
	method, path, kind, accept, body string
}

func (p *peer) fill(text string) string {
	return strings.NewReplacer("NS", p.namespace, "UID", p.uid, "RV", p.revision).Replace(text)
}

// send sends a request and returns the status and the body of the answer.
func (p *peer) send(t testing.TB, c call) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), c.method, p.host+p.fill(c.path), bytes.NewReader([]byte(p.fill(c.body))))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", contentJSON)
	request.Header.Set("User-Agent", "conformance/1")
	if c.accept != "" {
		request.Header.Set("Accept", c.accept)
	}
	if c.kind != "" {
		request.Header.Set("Content-Type", c.kind)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatalf("%s: %s %s: %v", p.name, c.method, c.path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %s %s: %v", p.name, c.method, c.path, err)
	}
	return response.StatusCode, content
}

// answered is what two answers must have in common.
type answered struct {
	Code    int
	Content any
}

// ask sends a request and returns what of the answer must be the same everywhere.
func (p *peer) ask(t testing.TB, c call) answered {
	t.Helper()
	code, content := p.send(t, c)
	if code == http.StatusTooManyRequests { // A real one makes its storage of custom resources anew.
		testenv.Eventually(t, p.name+" is ready", func() bool {
			code, content = p.send(t, c)
			return code != http.StatusTooManyRequests
		})
	}
	var decoded any
	if err := json.Unmarshal(content, &decoded); err != nil {
		return answered{code, string(content)}
	}
	if fields, ok := decoded.(map[string]any); ok {
		metadata, _ := fields["metadata"].(map[string]any)
		if uid, ok := metadata["uid"].(string); ok {
			p.uid = uid
		}
		if revision, ok := metadata["resourceVersion"].(string); ok {
			p.revision = revision
		}
	}
	return answered{code, p.common(decoded)}
}

var (
	uidPattern      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	recordPattern   = regexp.MustCompile(`in record \(\d+\)`)
	timePattern     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	revisionPattern = regexp.MustCompile(`^\d+$`)
)

// common replaces what may differ.
func (p *peer) common(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return p.commonFields(v)
	case []any:
		for i := range v {
			v[i] = p.common(v[i])
		}
	case string:
		if p.namespace != "" {
			v = strings.ReplaceAll(v, p.namespace, "NS")
		}
		v, _, _ = strings.Cut(v, "json parse error:")
		v, _, _ = strings.Cut(v, ": invalid character")
		v = recordPattern.ReplaceAllString(v, "in record (RV)")
		return timePattern.ReplaceAllString(uidPattern.ReplaceAllString(v, "UID"), "TIME")
	}
	return value
}

func (p *peer) commonFields(v map[string]any) map[string]any {
	for key, field := range v {
		switch text, isText := field.(string); {
		case key == "resourceVersion" && isText && revisionPattern.MatchString(text):
			v[key] = "RV"
		case key == "continue" && text == "":
			delete(v, key)
		case key == "continue":
			v[key] = "TOKEN"
		case key == "storageVersionHash" && p.namespace != "":
			v[key] = "HASH" // The group is named after the namespace.
		case key == "managedFields":
			v[key] = sortedEntries(p.common(field))
		default:
			v[key] = p.common(field)
		}
	}
	return v
}

// sortedEntries sorts managed fields: their order depends on times.
func sortedEntries(entries any) any {
	list, _ := entries.([]any)
	slices.SortFunc(list, func(a, b any) int {
		return strings.Compare(fmt.Sprint(a.(map[string]any)["manager"], a.(map[string]any)["subresource"]),
			fmt.Sprint(b.(map[string]any)["manager"], b.(map[string]any)["subresource"]))
	})
	return entries
}

// both has both peers answer and compares what they say.
func both(t testing.TB, simulated, real *peer, c call) answered {
	t.Helper()
	want, got := real.ask(t, c), simulated.ask(t, c)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %s (-real +simulated):\n%s", c.method, c.path, diff)
	}
	return want
}

func TestASimulatedAPIServerAnswersAsARealOne(t *testing.T) {
	t.Parallel()
	simulated, real := peers(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*peer{simulated, real} {
				p.namespace = namespaceFor(t, p)
			}
			for _, c := range cases[name] {
				both(t, simulated, real, c)
			}
		})
	}
}

// namespaceFor makes a Namespace and returns its name.
func namespaceFor(t testing.TB, p *peer) string {
	t.Helper()
	code, content := p.send(t, call{"POST", "/api/v1/namespaces", contentJSON, "",
		`{"apiVersion":"v1","kind":"Namespace","metadata":{"generateName":"conformance-"}}`})
	var made struct{ Metadata struct{ Name string } }
	if err := json.Unmarshal(content, &made); err != nil || code != http.StatusCreated {
		t.Fatalf("%s: namespace: %d %s", p.name, code, content)
	}
	return made.Metadata.Name
}

func TestCustomResourcesAreServedAsByARealAPIServer(t *testing.T) {
	t.Parallel()
	simulated, real := peers(t)
	for _, p := range []*peer{simulated, real} {
		p.namespace = namespaceFor(t, p)
	}
	both(t, simulated, real, call{"GET", shops, "", "", ""})
	both(t, simulated, real, call{
		"PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shops.NS.example.com?fieldManager=one", applyJSON, asMetadata, bookshop,
	})
	for _, p := range []*peer{simulated, real} {
		p.waitServed(t, "/apis/NS.example.com/v1")
	}
	for _, c := range customCases {
		both(t, simulated, real, c)
	}
}

// waitServed waits until discovery has a group version.
func (p *peer) waitServed(t testing.TB, path string) {
	t.Helper()
	testenv.Eventually(t, p.name+" serves "+path, func() bool {
		code, _ := p.send(t, call{"GET", path, "", "", ""})
		return code == http.StatusOK
	})
}
