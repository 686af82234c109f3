package store

import (
	"context"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

var (
	hostile = types.NamespacedName{Namespace: "hostile", Name: "greedy"}
	victim  = types.NamespacedName{Namespace: "victim", Name: "modest"}
)

// newShared returns a store of 200 bytes of which a namespace has half.
func newShared(t *testing.T) *Store {
	t.Helper()
	return openWith(t, t.TempDir(), Options{MaxBytes: 200, NamespacePercent: 50, Now: newClock().now})
}

// commitFor stores 40 bytes for a Bundle.
func commitFor(t *testing.T, s *Store, bundle types.NamespacedName, first string) (content string, err error) {
	t.Helper()
	content = first + strings.Repeat(".", 40-len(first))
	ctx := WithNamespace(t.Context(), bundle.Namespace)
	_, err = s.Commit(ctx, digestOf(content), strings.NewReader(content), 40)
	return content, err
}

// mustName is commitFor for what the Bundle then names.
func mustName(t *testing.T, s *Store, bundle types.NamespacedName, first string) string {
	t.Helper()
	content, err := commitFor(t, s, bundle, first)
	if err != nil {
		t.Fatal(err)
	}
	s.Name(bundle, digestOf(content))
	return content
}

func wantOverShare(t *testing.T, err error, namespace string) {
	t.Helper()
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason,
		"the share of namespace "+namespace+" in the cache, 100 bytes (flag --cache-namespace-max-percent)",
		"name less in them, or have the cache or the share enlarged")
}

func TestANamespaceNamesNoMoreThanItsShare(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	a, b := mustName(t, s, hostile, "a"), mustName(t, s, hostile, "b")
	for range 3 {
		_, err := commitFor(t, s, hostile, "c")
		wantOverShare(t, err, "hostile")
	}
	x, y := mustName(t, s, victim, "x"), mustName(t, s, victim, "y")
	wantBlobs(t, s, a, b, x, y)
}

func TestOverItsShareOnlyANamespacesOwnGoes(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	x := mustName(t, s, victim, "x")
	left, err := commitFor(t, s, victim, "left") // used before the others, and not named
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commitFor(t, s, hostile, "a"); err != nil {
		t.Fatal(err)
	}
	b := mustName(t, s, hostile, "b")
	c := mustName(t, s, hostile, "c")
	wantBlobs(t, s, x, left, b, c)
}

func TestWhatNamespacesShareCountsForEachAndStays(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	both, err := commitFor(t, s, victim, "both")
	if err != nil {
		t.Fatal(err)
	}
	s.Name(types.NamespacedName{Namespace: hostile.Namespace}, digestOf(both)) // no Bundle has opened it yet
	a := mustName(t, s, hostile, "a")
	_, err = commitFor(t, s, hostile, "b")
	wantOverShare(t, err, "hostile")
	wantBlobs(t, s, both, a)
}

func TestWhatIsNamedBeyondAShareIsNotKeptFromOthers(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	var others []string
	for _, name := range []string{"a", "b", "c", "d"} {
		other := types.NamespacedName{Namespace: name, Name: "gone"}
		content := mustName(t, s, other, name)
		s.Name(hostile, digestOf(content)) // 160 bytes, without a download
		s.Forget(other)
		others = append(others, content)
	}
	x, y := mustName(t, s, victim, "x"), mustName(t, s, victim, "y")
	wantBlobs(t, s, append(others[1:], x, y)...)
}

func TestEveryFileOfANamespaceCountsForItsShare(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 101)
	writes := map[string]func(ctx context.Context, s *Store) error{
		"a blob": func(ctx context.Context, s *Store) error {
			_, err := s.Commit(ctx, digestOf(content), strings.NewReader(content), 200)
			return err
		},
		"a download": func(ctx context.Context, s *Store) error {
			from := &remote{content: content, validator: "v1", ranges: true}
			_, err := s.Resume(ctx, digestOf(content), place, from.open, 200)
			return err
		},
		"a derived file": func(ctx context.Context, s *Store) error {
			return s.Derive(ctx, "index", digestOf("x"), func(w io.Writer) error {
				_, err := io.WriteString(w, content)
				return err
			})
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t)
			wantOverShare(t, write(WithNamespace(t.Context(), "hostile"), s), "hostile")
			wantFiles(t, s)
			if err := write(t.Context(), s); err != nil {
				t.Errorf("want no share where there is no namespace, got %v", err)
			}
		})
	}
}

func TestTheShareOfANamespaceIsAPercentage(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{-1, 101} {
		if _, err := Open(t.TempDir(), Options{NamespacePercent: percent}); err == nil {
			t.Errorf("want an error for %d %%", percent)
		}
	}
	s := openWith(t, t.TempDir(), Options{MaxBytes: 80, NamespacePercent: 100, Now: newClock().now})
	mustName(t, s, hostile, "a")
	mustName(t, s, hostile, "b")
	_, err := commitFor(t, s, hostile, "c")
	wantNoRoom(t, s, err)
}
