package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// stage is a workload cluster with all that a sequence needs of it.
type stage struct {
	workload *testenv.Workload
	observer *observer
	proxy    *testenv.Proxy
	link     *link
	target   *Target
}

// start starts the cluster and what is between it and the client.
func (q sequence) start(ctx context.Context, dir string) (_ *stage, err error) {
	st := &stage{}
	defer func() {
		if err != nil {
			st.stop()
		}
	}()
	if st.workload, err = testenv.StartWorkload(ctx, testenv.WorkloadOptions{}); err != nil {
		return nil, err
	}
	objects := q.release.objects
	if q.first != nil {
		objects = slices.Concat(q.first.objects, objects)
	}
	if st.observer, err = startObserver(st.workload.Config, st.workload.Client, objects); err != nil {
		return nil, err
	}
	if err := st.connect(q.mode); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("target-%d", time.Now().UnixNano())
	st.target.Name, st.target.Kubeconfig = name, filepath.Join(dir, name)
	st.target.Workload, st.target.descriptions = st.workload, q.descriptions
	return st, os.WriteFile(st.target.Kubeconfig, st.target.Through.Kubeconfig(), 0o600)
}

// connect makes the way to the API server.
func (st *stage) connect(m mode) (err error) {
	st.target = &Target{Through: st.workload, Config: rest.CopyConfig(st.workload.Config)}
	switch m {
	case counted:
		if st.proxy, err = testenv.StartProxy(st.workload.APIServer); err != nil {
			return err
		}
		st.target.Through, st.target.Config, st.target.Quiet = st.proxy, st.proxy.Config, st.quiet
	case slow:
		if st.link, err = startLink(st.workload.Config, st.workload.Kubeconfig()); err != nil {
			return err
		}
		st.target.Through, st.target.Config = st.link, st.link.config
	case timed:
	}
	return nil
}

// stop stops all that was started, the last first.
func (st *stage) stop() {
	if st.observer != nil {
		st.observer.stop()
	}
	if st.link != nil {
		st.link.stop()
	}
	if st.proxy != nil {
		st.proxy.Stop()
	}
	if st.workload != nil {
		st.workload.Stop()
	}
}

// cpu of the API server and its etcd.
func (st *stage) cpu() (server, etcd time.Duration, err error) {
	of, err := measure.Of(st.workload.PID())
	if err != nil {
		return 0, 0, err
	}
	beside, err := measure.Of(st.workload.EtcdPID())
	return of.CPU, beside.CPU, err
}

// traffic since the proxy was reset.
func (st *stage) traffic(unchanged map[string]bool) traffic {
	if st.proxy == nil {
		return traffic{}
	}
	t := trafficOf(st.proxy.Requests(), unchanged)
	t.sent, t.received = st.proxy.Wire()
	return t
}
