package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheTableOfWhatIsStoredHasTheWaysThatStore(t *testing.T) {
	b := measured(true)
	b.samples = append(took(providerName, counted, time.Second), took(floorName, counted, time.Second)...)
	b.samples[0].stored = stored{cluster: 2048, all: 1_000_000}
	text := b.storedTable(b.releases[0]).String()
	if !strings.Contains(text, "| provider | 2,048 | 1,000,000 |\n") || strings.Contains(text, floorName) {
		t.Errorf("got\n%s", text)
	}
}

func TestASessionWithoutAManagementClusterStoresNothing(t *testing.T) {
	if s, err := storedBy(t.Context(), &peerSession{}); err != nil || s != (stored{}) {
		t.Errorf("got %v, %v", s, err)
	}
}
