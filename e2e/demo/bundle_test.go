package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestServeFromKeepsDigests(t *testing.T) {
	t.Parallel()
	b := generate()
	var want []v1alpha1.HTTPSSource
	for _, source := range b.sources() {
		file := strings.TrimPrefix(source.URL, "https://example.com/")
		want = append(want, v1alpha1.HTTPSSource{URL: "http://127.0.0.1:1/" + file, Digest: source.Digest})
	}
	b.serveFrom("http://127.0.0.1:1")
	var got []v1alpha1.HTTPSSource
	for _, source := range b.sources() {
		got = append(got, *source)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestKeepRelease(t *testing.T) {
	t.Parallel()
	b := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{{Version: "1.0.0"}, {Version: "2.0.0"}}}}
	b.Name = "calico"
	if err := keepRelease(b, "3.0.0"); err == nil || err.Error() != "bundle calico has no release 3.0.0" {
		t.Errorf("want an error that names bundle and release, got %v", err)
	}
	if err := keepRelease(b, "2.0.0"); err != nil {
		t.Fatal(err)
	}
	if len(b.Spec.Releases) != 1 || b.Spec.Releases[0].Version != "2.0.0" {
		t.Errorf("want release 2.0.0 only, got %v", b.Spec.Releases)
	}
}

func TestFileServerCountsDownloads(t *testing.T) {
	t.Parallel()
	s, err := serveFiles(map[string][]byte{"a.yaml": []byte("kind: A\n"), "b.yaml": nil})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	statuses := []int{}
	for _, name := range []string{"a.yaml", "a.yaml", "c.yaml"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url()+"/"+name, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode == http.StatusOK && string(content) != "kind: A\n" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
		_ = resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 200, 404}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	got := []int{s.count("a.yaml"), s.count("b.yaml"), s.count("c.yaml")}
	if diff := cmp.Diff([]int{2, 0, 0}, got); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
}

func TestStep(t *testing.T) {
	t.Parallel()
	waits := func(ctx context.Context) error { <-ctx.Done(); return errors.New("crds: 1 of 2") }
	tests := map[string]struct {
		given            func(context.Context) error
		givenInterrupted bool
		want             string
	}{
		"a step that happens": {
			given: func(context.Context) error { return nil },
		},
		"a step that fails": {
			given: func(context.Context) error { return errors.New("port taken") },
			want:  "the step that starts clusters: port taken",
		},
		"a step that does not happen in time": {
			given: waits,
			want:  "the step that starts clusters did not happen within 3m0s: crds: 1 of 2",
		},
		"an interrupted step": {
			given: waits, givenInterrupted: true,
			want: "interrupted",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.givenInterrupted {
					cancel()
				}
				w := &world{out: io.Discard, started: time.Now()}
				err := w.do(ctx, step{"starts clusters", stepTime, tc.given})
				got := ""
				if err != nil {
					got = err.Error()
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
