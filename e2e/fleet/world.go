package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/remote"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// namespace of everything that a run makes in the management cluster.
	namespace = metav1.NamespaceDefault
	// stopTime is how long the manager may take to exit after SIGTERM.
	stopTime = 20 * time.Second
)

// world is everything that a run starts, and what it measures.
type world struct {
	out     io.Writer
	started time.Time
	options options
	layout  layout
	result  outcome.Run

	bundle      *v1alpha1.Bundle
	releases    []release
	files       *fileServer
	management  *testenv.Management
	simulation  *remote.Simulation
	kubeconfigs [][]byte
	watcher     *watcher
	manager     *manager
	cacheDir    string
	// clusterBytes is what the Clusters took in etcd before the manager wrote to them.
	clusterBytes int64
	recording    []remote.Request

	stopOnce sync.Once
}

func newWorld(out io.Writer, o options) *world {
	return &world{
		out: out, started: time.Now(), options: o, layout: newLayout(o.clusters),
		result: outcome.Run{Clusters: o.clusters},
	}
}

// scaleSteps are those of "fleet scale". Each of them is bounded.
func (w *world) scaleSteps() []step {
	n, waves := w.options.clusters, w.layout.silent.to-w.layout.alone.from
	return append(w.setupSteps(),
		step{"labels all Clusters", forAll(n), w.install},
		step{"sends the same requests with a bare load generator", forAll(w.layout.load.size()), w.generateLoad},
		step{"adds up what etcd stores", stepTime, w.measureStorage},
		step{fmt.Sprintf("leaves the Clusters alone for %s", w.options.idle), w.options.idle + stepTime, w.idle},
		step{"starts the manager again", forAll(n) + buildTime, w.restart},
		step{"installs two waves, the second beside silent Clusters", forAll(2 * waves), w.installWaves},
		step{"upgrades both waves by one minor version", forAll(waves), w.upgrade},
	)
}

// idleSteps are those of "fleet idle".
func (w *world) idleSteps() []step {
	w.result.Idles = true
	w.layout = layout{fleet: group{0, w.options.clusters}}
	return append(w.setupSteps(),
		step{"labels all Clusters", forAll(w.options.clusters), w.install},
		step{"adds up what etcd stores", stepTime, w.measureStorage},
		step{fmt.Sprintf("leaves the Clusters alone for %s", w.options.idle), w.options.idle + stepTime, w.idle},
	)
}

func (w *world) setupSteps() []step {
	return []step{
		{"checks what it needs", stepTime, w.check},
		{"chooses the bundle", stepTime, w.chooseBundle},
		{"starts a management cluster", stepTime, w.startManagement},
		{"starts the simulator", stepTime, w.startSimulator},
		{"makes the Clusters, without a set for them", forAll(w.options.clusters), w.addFleet},
		{"builds and starts the manager", buildTime, w.startManager},
		{"applies the Bundle and its sets", stepTime, w.applyBundle},
	}
}

func (w *world) startManagement(ctx context.Context) (err error) {
	if w.management, err = testenv.StartManagement(ctx, testenv.ManagementOptions{}); err != nil {
		return err
	}
	if w.watcher, err = startWatcher(ctx, w.management.Config); err != nil {
		return err
	}
	asking, err := discovery.NewDiscoveryClientForConfig(w.management.Config)
	if err != nil {
		return err
	}
	version, err := asking.ServerVersion()
	if err != nil {
		return err
	}
	w.result.Machine.Kubernetes = version.GitVersion
	w.detail("etcd and kube-apiserver, with the CRDs of Cluster API and of this project")
	return nil
}

func (w *world) startSimulator(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if w.simulation, err = remote.Start(ctx, program, w.layout.size()); err != nil {
		return err
	}
	if w.kubeconfigs, err = w.simulation.Kubeconfigs(ctx); err != nil {
		return err
	}
	w.detail("%d API servers in one process: %d of the fleet, the others for the steps behind",
		len(w.kubeconfigs), w.layout.fleet.size())
	return nil
}

func (w *world) startManager(ctx context.Context) (err error) {
	if w.cacheDir, err = os.MkdirTemp("", "caapb-fleet-"); err != nil {
		return err
	}
	if w.manager, err = startManager(ctx, w.management, w.cacheDir); err != nil {
		return err
	}
	w.detail("with what config/manager has: %s", w.manager.settings)
	return nil
}

// path returns where the run puts a file of that name.
func (w *world) path(name string) string {
	return filepath.Join(w.options.out, fmt.Sprintf("scale-%d-%s", w.options.clusters, name))
}

// saveLog keeps the end of the manager's log for who wants to know why a run failed.
func (w *world) saveLog() {
	if w.manager == nil {
		return
	}
	name := w.path("manager.log")
	if err := os.WriteFile(name, []byte(w.manager.Log()), 0o600); err == nil { //nolint:gosec // The user named the folder.
		w.say("the end of the manager's log is in %s", name)
	}
}

// stop stops what was started, in the opposite order. It may be called twice.
func (w *world) stop() {
	w.stopOnce.Do(func() {
		w.manager.stop()
		w.watcher.stop()
		w.simulation.Stop()
		if w.management != nil {
			w.management.Stop()
		}
		if w.files != nil {
			w.files.stop()
		}
		if w.cacheDir != "" {
			_ = os.RemoveAll(w.cacheDir) //nolint:gosec // The run has made it.
		}
	})
}
