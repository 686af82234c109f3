package test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// moveVariable names the file that "make test-move" wants the table of all cases
// written to. Without it only some of them run.
const moveVariable = "MOVE_FILE"

// TestClusterctlMovesWithoutATrace moves Clusters with the real clusterctl between two
// management clusters, of which each has a manager.
func TestClusterctlMovesWithoutATrace(t *testing.T) {
	t.Parallel()
	file := os.Getenv(moveVariable)
	w := newMoveWorld(t)
	for _, c := range moveCases {
		if c.isLong && file == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := w.begin(t)
			defer w.note(c.name, m) // of a case that fails, too
			c.run(m)
		})
	}
	t.Cleanup(func() { w.write(t, file) }) // behind the last case
}

// moveWorld is two management clusters, each with a manager, and the real clusterctl.
type moveWorld struct {
	clusterctl *testenv.Clusterctl
	sides      [2]side

	mu    sync.Mutex
	table []string
}

type side struct {
	management *testenv.Management
	manager    *testenv.Manager
}

func newMoveWorld(t *testing.T) *moveWorld {
	t.Helper()
	w := &moveWorld{clusterctl: testenv.NewClusterctl(t, "v0.1.0")}
	for i := range w.sides {
		management := testenv.NewManagement(t, testenv.ManagementOptions{Controllers: true, WithoutProviders: true})
		if err := w.clusterctl.Init(t.Context(), management, "v0.1.0"); err != nil {
			t.Fatal(err)
		}
		manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
			Management: management, CacheDir: t.TempDir(), Race: true, Args: []string{"--resolve-interval=1s"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(manager.Stop)
		w.sides[i] = side{management, manager}
	}
	return w
}

// note adds a line to the table.
func (w *moveWorld) note(name string, m *moving) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table = append(w.table, fmt.Sprintf("| %s | %d | %d | %d |\n", name, m.moves, m.moved, m.writes))
}

func (w *moveWorld) write(t *testing.T, file string) {
	t.Helper()
	if file == "" {
		return
	}
	slices.Sort(w.table)
	text := "| case | moves | objects moved | workload writes caused by them |\n|---|---|---|---|\n" + strings.Join(w.table, "")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}
