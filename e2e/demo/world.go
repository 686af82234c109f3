package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// namespace of everything that the demo makes in the management cluster.
const namespace = metav1.NamespaceDefault

// stopTime is how long the manager may take to exit after SIGTERM.
const stopTime = 10 * time.Second

// world is everything that the demo starts.
type world struct {
	out     io.Writer
	started time.Time

	bundle     *bundle
	files      *fileServer
	management *testenv.Management
	first      *member
	second     *member
	manager    *testenv.Manager
	cacheDir   string

	stopOnce sync.Once
}

// member is a workload cluster and what the demo learned about it.
type member struct {
	name     string
	workload *testenv.Workload
	proxy    *testenv.Proxy
	rollout  rollout
	// reported is set once the demo has reported in the operator's place.
	reported bool
}

func (w *world) members() []*member { return []*member{w.first, w.second} }

// startClusters starts the three clusters side by side.
func (w *world) startClusters(ctx context.Context) error {
	w.first, w.second = &member{name: "berlin"}, &member{name: "oslo"}
	group, ctx := errgroup.WithContext(ctx) // Who fails ends the others.
	group.Go(func() (err error) {
		w.management, err = testenv.StartManagement(ctx, testenv.ManagementOptions{Controllers: true})
		return err
	})
	for _, m := range w.members() {
		group.Go(func() error { return m.start(ctx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	w.detail("each has its own etcd and kube-apiserver; the CRDs of Cluster API and of this project are installed")
	w.detail("berlin and oslo also have controllers, a scheduler and a simulated Node, on which Pods only seem to run")
	return nil
}

func (m *member) start(ctx context.Context) (err error) {
	if m.workload, err = testenv.StartWorkload(ctx, testenv.WorkloadOptions{Nodes: 1}); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	if m.proxy, err = testenv.StartProxy(m.workload.APIServer); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

func (m *member) stop() {
	if m.proxy != nil {
		m.proxy.Stop()
	}
	if m.workload != nil {
		m.workload.Stop()
	}
}

func (w *world) startCAPI(ctx context.Context) error { return w.management.StartCAPI(ctx) }

// addClusters makes the Clusters and waits until Cluster API has them Available.
func (w *world) addClusters(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range w.members() {
		group.Go(func() error {
			_, err := w.management.AddCluster(ctx, testenv.ClusterOptions{
				Namespace: namespace, Name: m.name, Workload: m.proxy,
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	w.detail("Cluster API has connected to them: both are Available")
	return nil
}

func (w *world) startManager(ctx context.Context) (err error) {
	if w.cacheDir, err = os.MkdirTemp("", "caapb-demo-"); err != nil {
		return err
	}
	w.manager, err = testenv.StartManager(ctx, testenv.ManagerOptions{
		Management: w.management, CacheDir: w.cacheDir, Args: []string{"-v=2"},
	})
	return err
}

// printLog prints the end of the manager's log.
func (w *world) printLog() {
	if w.manager == nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(w.manager.Log()), "\n")
	w.say("the manager's log ends with:")
	for _, line := range lines[max(0, len(lines)-logLines):] {
		w.detail("%s", line)
	}
}

// keepUntilInterrupted leaves everything running for who wants to look around.
func (w *world) keepUntilInterrupted(ctx context.Context) {
	w.say("everything stays as it is until you interrupt it with Ctrl+C:")
	w.detail("%-12s kubectl --kubeconfig=%s get clusterbundles", "management", w.management.KubeconfigPath())
	for _, m := range w.members() {
		w.detail("%-12s kubectl --kubeconfig=%s get crds", m.name, m.workload.KubeconfigPath())
	}
	w.detail("%-12s curl %s", "metrics", w.manager.MetricsURL())
	<-ctx.Done()
}

// stop stops what was started, in the opposite order. It may be called twice.
func (w *world) stop() {
	w.stopOnce.Do(func() {
		stopManager(w.manager)
		var clusters sync.WaitGroup
		for _, m := range w.members() {
			if m != nil {
				clusters.Go(m.stop)
			}
		}
		if w.management != nil {
			clusters.Go(w.management.Stop)
		}
		clusters.Wait()
		if w.files != nil {
			w.files.stop()
		}
		if w.cacheDir != "" {
			_ = os.RemoveAll(w.cacheDir)
		}
	})
}

// stopManager lets the manager end by itself, but not for long.
func stopManager(m *testenv.Manager) {
	if m == nil {
		return
	}
	killer := time.AfterFunc(stopTime, m.Kill)
	defer killer.Stop()
	m.Stop()
}
