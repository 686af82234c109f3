package library

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/kustomize"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

func TestMain(m *testing.M) {
	child.Main(helm.RenderTask, helm.ValuesTask, kustomize.BuildTask)
	os.Exit(m.Run())
}

// patience bounds what a test waits for.
const patience = 2 * time.Minute

var calico = types.NamespacedName{Namespace: "default", Name: "calico"}

// shelf opens what is put on it, by URL, and counts.
type shelf struct {
	mu     sync.Mutex
	bodies map[string]string
	fails  map[string]error
	opened map[string]int
	// before, if set, is called with each URL before its bytes are handed out.
	before func(ctx context.Context, url string) error
}

func newShelf() *shelf {
	return &shelf{bodies: map[string]string{}, fails: map[string]error{}, opened: map[string]int{}}
}

// Open opens what is on the shelf.
func (s *shelf) Open(ctx context.Context, src v1alpha1.Source) (io.ReadCloser, error) {
	if src.Inline != nil {
		return io.NopCloser(strings.NewReader(src.Inline.Manifests)), nil
	}
	url := src.HTTPS.URL
	s.mu.Lock()
	s.opened[url]++
	before, body, err := s.before, s.bodies[url], s.fails[url]
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx, url); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return io.NopCloser(strings.NewReader(body)), nil
}

// put puts a body at a URL and returns its source.
func (s *shelf) put(url, body string) v1alpha1.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies[url] = body
	return httpsSource(url, body)
}

// fail makes a URL fail from now on, or not any more.
func (s *shelf) fail(url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[url] = err
}

// counts returns how often each URL was opened.
func (s *shelf) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.opened)
}

// total returns how often any URL was opened.
func (s *shelf) total() int {
	total := 0
	for _, n := range s.counts() {
		total += n
	}
	return total
}

// opener opens the bytes of a source.
type opener interface {
	Open(ctx context.Context, src v1alpha1.Source) (io.ReadCloser, error)
}

// shelfResolver makes a resolver of an opener: every source names its digest, but
// for tags, which stand for what the test says.
type shelfResolver struct {
	opener
	tags *tags
}

func (r shelfResolver) Trust() string { return r.tags.trusted() }

func (r shelfResolver) Static(query source.Query) (source.Part, bool) {
	src := query.Source
	if src.OCI != nil {
		return source.Part{}, false
	}
	part := source.Part{
		Digest: digestOf(src), Name: fetch.Name(src), From: fetch.Describe(src),
		Fetch: func(ctx context.Context, _ store.Partial) (store.Body, error) {
			body, err := r.Open(ctx, src)
			return store.Body{ReadCloser: body}, err
		},
	}
	if web := src.HTTPS; web != nil {
		part.Place, part.Format, part.Files = web.URL, archive.FormatOfName(part.Name), web.Files
		if web.Kustomize != nil {
			part.Kustomize = web.Kustomize.Path
		}
	}
	return part, true
}

func (r shelfResolver) Resolve(_ context.Context, query source.Query) ([]source.Part, error) {
	src, err := r.tags.get(query.Source.OCI.Tag)
	if err != nil {
		return nil, err
	}
	part, _ := r.Static(source.Query{Source: src})
	part.Artifact = source.Artifact{
		Reference: query.Source.OCI.Repository, Tag: query.Source.OCI.Tag, Digest: digest.FromString(part.From),
	}
	return []source.Part{part}, nil
}

func (r shelfResolver) Describe(src v1alpha1.Source) string {
	if src.OCI != nil {
		return src.OCI.Repository + ":" + src.OCI.Tag
	}
	return fetch.Describe(src)
}

// tags are what moving sources stand for.
type tags struct {
	mu      sync.Mutex
	sources map[string]v1alpha1.Source
	errs    map[string]error
	asked   int
	trust   atomic.Value // a string
}

func newTags() *tags {
	return &tags{sources: make(map[string]v1alpha1.Source), errs: make(map[string]error)}
}

func (t *tags) get(tag string) (v1alpha1.Source, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	return t.sources[tag], t.errs[tag]
}

// trusted identifies whom the test trusts to sign.
func (t *tags) trusted() string {
	if t == nil {
		return ""
	}
	whom, _ := t.trust.Load().(string)
	return whom
}

// trustIn has the test trust somebody else.
func (t *tags) trustIn(whom string) { t.trust.Store(whom) }

// set makes a tag stand for a source, or fail.
func (t *tags) set(tag string, src v1alpha1.Source, err error) v1alpha1.Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sources[tag], t.errs[tag] = src, err
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "registry.example.com/calico", Tag: tag}}
}

func digestOf(src v1alpha1.Source) digest.Digest { return digest.Digest(release.SourceDigest(src)) }

func httpsSource(url, body string) v1alpha1.Source {
	return v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
		URL: url, Digest: v1alpha1.Digest(digest.FromString(body)),
	}}
}

// library is a Library with what the tests turn on it.
type library struct {
	*Library
	dir    string
	store  *store.Store
	shelf  *shelf
	cancel context.CancelFunc // of the jobs
	tags   *tags
	clock  *clocktesting.FakeClock
	news   chan types.NamespacedName
}

func newLibrary(t testing.TB, dir string, sources opener, changes ...func(*Config)) *library {
	t.Helper()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &library{
		dir:   dir,
		tags:  newTags(),
		clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		news:  make(chan types.NamespacedName, 1000),
	}
	l.shelf, _ = sources.(*shelf)
	children, err := child.New(child.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Children: children,
		Store:    kept, Sources: shelfResolver{opener: sources, tags: l.tags}, Interval: time.Minute, Clock: l.clock,
		Settings: Settings{
			MaxBytes: 1 << 30, Limits: manifest.DefaultLimits(), Archives: archive.DefaultLimits(), Concurrency: DefaultConcurrency(),
		},
	}
	for _, change := range changes {
		change(&cfg)
	}
	l.store = cfg.Store
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(t.Context())
	if l.Library, err = New(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	l.Subscribe(func(name types.NamespacedName) { l.news <- name })
	t.Cleanup(func() {
		l.cancel()
		_ = kept.Close()
	})
	return l
}

// webSources opens files on web servers at any address.
func webSources(t testing.TB) opener {
	t.Helper()
	cfg := fetch.DefaultConfig()
	cfg.AllowCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	sources, err := fetch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// What a namespace has at once.
var downloadsEach, resolvesEach = DefaultConcurrency().Downloading.Each, DefaultConcurrency().Resolving.Each

// maxBytes changes the bound of a release.
func maxBytes(n int) func(*Config) { return func(cfg *Config) { cfg.MaxBytes = int64(n) } }

// countJobs returns how many jobs are known.
func (l *library) countJobs() int {
	return countJobs(l.resolutions.jobs) + countJobs(l.releases.parts.jobs)
}

func countJobs[S, R any](j *jobs[S, R]) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.byKey)
}

// Open is Open for sources that do not depend on the version of Kubernetes.
func (l *library) Open(owner types.NamespacedName, r v1alpha1.Release) (*Bundle, error) {
	return l.Library.Open(owner, r, "")
}

// part is the part that a source stands for.
func (l *library) part(src v1alpha1.Source) source.Part {
	part, _ := l.resolutions.sources.Static(source.Query{Source: src})
	return part
}

// Digest is the digest of what a release stands for now, without opening it.
func (l *library) Digest(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (v1alpha1.Digest, error) {
	resolved, err := l.resolutions.resolve(owner, r, kubernetes)
	return resolved.digest(), err
}

// hear waits for the next notification.
func (l *library) hear(t testing.TB) types.NamespacedName {
	t.Helper()
	select {
	case name := <-l.news:
		return name
	case <-time.After(patience):
		t.Fatal("no notification")
	}
	return types.NamespacedName{}
}

// settle opens the release until none of its sources is being fetched.
func (l *library) settle(t testing.TB, r v1alpha1.Release) (*Bundle, error) {
	t.Helper()
	return l.settleFor(t, calico, r)
}

// settleFor is settle for another Bundle.
func (l *library) settleFor(t testing.TB, owner types.NamespacedName, r v1alpha1.Release) (*Bundle, error) {
	t.Helper()
	for {
		opened, err := l.Open(owner, r)
		if err == nil || !strings.Contains(err.Error(), "is being fetched") {
			return opened, err
		}
		l.hear(t)
	}
}

// retry opens a release whose source has failed, which starts it anew, and
// returns what Open says when it has failed again.
func (l *library) retry(t testing.TB, r v1alpha1.Release) error {
	t.Helper()
	_, _ = l.Open(calico, r)
	l.hear(t)
	_, err := l.Open(calico, r)
	return err
}

// mustOpen is settle for what is to succeed.
func (l *library) mustOpen(t testing.TB, r v1alpha1.Release) *Bundle {
	t.Helper()
	opened, err := l.settle(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// derived is the path of a derived file of a source.
func (l *library) derived(kind string, src v1alpha1.Source) string {
	return filepath.Join(l.dir, "derived", kind, digestOf(src).Encoded())
}

// overwrite changes the bytes of a file in place, or removes it if change is nil.
func overwrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	if change == nil {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// phased returns a release of one phase for each list of sources.
func phased(phases ...[]v1alpha1.Source) v1alpha1.Release {
	r := v1alpha1.Release{Version: "1.0.0"}
	for i, sources := range phases {
		r.Phases = append(r.Phases, v1alpha1.Phase{Name: fmt.Sprintf("phase-%d", i), Sources: sources})
	}
	return r
}

// of returns a release with one phase.
func of(sources ...v1alpha1.Source) v1alpha1.Release { return phased(sources) }

// configMap is a document.
func configMap(name string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\n" +
		"metadata:\n  name: " + name + "\n  namespace: default\ndata: {key: value}\n"
}

// configMaps are n documents.
func configMaps(n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(configMap(fmt.Sprintf("cm-%03d", i)))
	}
	return all.String()
}
