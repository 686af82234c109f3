package library

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// chartResolver renders each chart to a ConfigMap with its values, and a Namespace.
type chartResolver struct{ shelfResolver }

func (r chartResolver) Static(query source.Query) (source.Part, bool) {
	if query.Source.Helm != nil {
		return source.Part{}, false
	}
	return r.shelfResolver.Static(query)
}

func (r chartResolver) Describe(src v1alpha1.Source) string { return "chart " + src.Helm.Chart }

func (r chartResolver) Resolve(_ context.Context, query source.Query) ([]source.Part, error) {
	values, err := query.Changes.Values(json.RawMessage(`{"base":1}`))
	if err != nil {
		return nil, err
	}
	shelf, _ := r.opener.(*shelf)
	shelf.mu.Lock()
	defer shelf.mu.Unlock()
	shelf.opened["render "+string(values)]++
	return []source.Part{
		partOf(strings.Replace(configMap("rendered"), "{key: value}", "{values: '"+string(values)+"'}", 1)),
		func() source.Part { part := partOf(namespaceB); part.GivesWay = true; return part }(),
	}, nil
}

func partOf(body string) source.Part {
	return source.Part{
		Digest: digest.FromString(body), Name: "chart", From: "chart", Place: body,
		Fetch: func(context.Context, store.Partial) (store.Body, error) {
			return store.Body{ReadCloser: struct {
				*strings.Reader
				nopCloser
			}{Reader: strings.NewReader(body)}}, nil
		},
	}
}

type nopCloser struct{}

// Close does nothing.
func (nopCloser) Close() error { return nil }

// setsHost returns changes of the values of the chart web.
func setsHost(host string) patch.Changes {
	return patch.Changes{{
		Name: "host", Selector: v1alpha1.PatchSelector{HelmRelease: "web"},
		Operations: []patch.Operation{{Op: "add", Path: "/host", Value: json.RawMessage(`"` + host + `"`)}},
	}}
}

func TestAChartIsRenderedOnceForEachDistinctValues(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf(), func(cfg *Config) { cfg.Sources = chartResolver{cfg.Sources.(shelfResolver)} })
	heard := make(chan types.NamespacedName, 100)
	l.SubscribeClusters(func(name types.NamespacedName) { heard <- name })
	r := of(v1alpha1.Source{Helm: &v1alpha1.HelmSource{Chart: "web", ReleaseName: "web"}})
	shared := l.mustOpen(t, r)
	for cluster, host := range map[string]string{"one": "a", "two": "b", "three": "a"} {
		owner := types.NamespacedName{Name: cluster}
		own, err := l.OpenValued(owner, shared, setsHost(host))
		for errors.Is(err, ErrFetching) {
			if got := <-heard; got.Name != cluster {
				t.Errorf("want only %s told, got %s", cluster, got)
			}
			own, err = l.OpenValued(owner, shared, setsHost(host))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, body := objectNamed(t, own, "rendered"); !strings.Contains(body, `{\"base\":1,\"host\":\"`+host+`\"}`) {
			t.Errorf("%s: want it rendered with its values, got %s", cluster, body)
		}
		if own.Digest != shared.Digest || own.Plan.Objects() != 2 {
			t.Errorf("%s: want the digest of the release and its Namespace, got %s and %d objects", cluster, own.Digest, own.Plan.Objects())
		}
		patched, err := l.OpenPatched(own, setsHost(host))
		if err != nil || patched.Content != setsHost(host).Over(shared.Digest) {
			t.Errorf("%s: want the content of its values, got %v", cluster, err)
		}
	}
	counts := l.shelf.counts()
	if counts[`render {"base":1}`] != 1 || counts[`render {"base":1,"host":"a"}`] != 1 || counts[`render {"base":1,"host":"b"}`] != 1 {
		t.Errorf("want one rendering for each distinct values, got %v", counts)
	}
}

func TestAPatchOfAChartThatIsNotThereIsReported(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	shared := l.mustOpen(t, of(l.shelf.put("https://example.com/a", configMap("a"))))
	optional := setsHost("a")
	optional[0].Optional = true
	owner := types.NamespacedName{Name: "one"}
	if _, err := l.OpenValued(owner, shared, optional); err != nil {
		t.Errorf("want none for one that is optional, got %v", err)
	}
	_, err := l.OpenValued(owner, shared, setsHost("a"))
	if fault.ReasonOf(err, "") != v1alpha1.PatchMatchesNothingReason || !strings.Contains(err.Error(), "no chart with the releaseName web") {
		t.Errorf("want PatchMatchesNothing, got %v", err)
	}
	if same, err := l.OpenValued(owner, shared, setsData("a", "x")); same != shared || err != nil {
		t.Errorf("want the same without patches of charts, got %v", err)
	}
}
