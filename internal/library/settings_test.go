package library

import (
	"context"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestLimitsThatChangeHoldForWhatIsOpenedNext(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	settings := *l.settings.Load()
	r := of(l.shelf.put("https://example.com/a", configMaps(3)))
	l.mustOpen(t, r)
	for text, change := range map[string]func(*Settings){
		"more than 2 objects": func(s *Settings) { s.Limits.Objects = 2 },
		"more than 9 bytes":   func(s *Settings) { s.MaxBytes = 9 },
	} {
		changed := settings
		change(&changed)
		l.Configure(changed)
		_, err := l.Open(calico, r)
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, text)
	}
	l.Configure(settings)
	if _, err := l.Open(calico, r); err != nil {
		t.Errorf("want it open within other limits, got %v", err)
	}
}

func TestMemoryIsSetAsideOnce(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	settings := *l.settings.Load()
	before := settings.Limits
	settings.Limits.Object, settings.Limits.Nesting, settings.Limits.Nodes = 1, 1, 1
	l.Configure(settings)
	if got := l.settings.Load().Limits; got != before {
		t.Errorf("want the limits of one object to stay %+v, got %+v", before, got)
	}
}

// TestWhatFailedIsLookedAtAgainWhereSettingsChange has a clock that stands still: without
// it the source would be due in ten minutes.
func TestWhatFailedIsLookedAtAgainWhereSettingsChange(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	l.shelf.fail(src.HTTPS.URL, fault.Stallf(v1alpha1.SourceDeniedReason, "denied"))
	_, err := l.settle(t, of(src))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason)
	l.shelf.fail(src.HTTPS.URL, nil)
	l.LookAgainAtAll()
	if owner := l.hear(t); owner != calico {
		t.Errorf("want its Bundle told, got %s", owner)
	}
	if err := l.retry(t, of(src)); err != nil {
		t.Error(err)
	}
}

func TestMoreMayBeDoneAtOnce(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	settings := *l.settings.Load()
	settings.Concurrency.Downloading = Share{Each: 1, All: 1}
	l.Configure(settings)
	opened := make(chan string, 2)
	l.shelf.before = func(ctx context.Context, url string) error {
		opened <- url
		<-ctx.Done() // a server that never answers
		return ctx.Err()
	}
	r := of(l.shelf.put("https://example.com/a", configMap("a")), l.shelf.put("https://example.com/b", configMap("b")))
	if _, err := l.Open(calico, r); err == nil {
		t.Fatal("want it to be fetched")
	}
	<-opened
	select {
	case url := <-opened:
		t.Errorf("want one download at once, got that of %s, too", url)
	default:
	}
	settings.Concurrency.Downloading = Share{Each: 2, All: 2}
	l.Configure(settings)
	<-opened
}
