package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	providerName = "provider"
	// strippedName is the same without the descriptions of CRDs, over the slow link.
	strippedName = "provider, stripped"
	// managementNamespace has everything in the management cluster.
	managementNamespace = metav1.NamespaceDefault
	// selectedLabel of a Cluster selects it for the set of the same name.
	selectedLabel = "bench"
)

// provider is this project: the real manager, which keeps running, and its management cluster.
type provider struct {
	management *testenv.Management
	manager    *testenv.Manager
	options    testenv.ManagerOptions
	files      *http.Server
	// fetched is how long it took to have all releases fetched and indexed.
	fetched time.Duration
}

// Name of the way.
func (p *provider) Name() string { return providerName }

// Describe says what runs.
func (p *provider) Describe() string {
	return "this provider: its manager, from the label on the Cluster; what it keeps was fetched before"
}

// Prepare starts the management cluster and the manager, and has all releases fetched.
func (p *provider) Prepare(ctx context.Context, s Setup) (err error) {
	if p.management, err = testenv.StartManagement(ctx, testenv.ManagementOptions{Controllers: true}); err != nil {
		return err
	}
	p.options = testenv.ManagerOptions{Management: p.management, CacheDir: filepath.Join(s.Dir, "cache")}
	if p.manager, err = testenv.StartManager(ctx, p.options); err != nil {
		return err
	}
	url, err := p.serve(s.Releases)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := p.createBundles(ctx, url, s.Releases); err != nil {
		return err
	}
	p.fetched = time.Since(begin)
	s.Say("the manager has fetched and indexed %d releases in %.1f s", len(s.Releases), p.fetched.Seconds())
	return nil
}

// Close stops everything.
func (p *provider) Close() {
	if p.manager != nil {
		p.manager.Stop()
	}
	if p.management != nil {
		p.management.Stop()
	}
	if p.files != nil {
		_ = p.files.Close() // Nobody reads any more.
	}
}

// serve serves the files of the releases below the name of each.
func (p *provider) serve(releases []*Release) (url string, err error) {
	mux := http.NewServeMux()
	for _, r := range releases {
		for _, phase := range r.Phases {
			for _, file := range phase.Files {
				mux.HandleFunc("/"+pathOf(r, file), func(w http.ResponseWriter, q *http.Request) { http.ServeFile(w, q, file) })
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return "", err
	}
	p.files = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.files.Serve(listener) }() // It ends by Close.
	return "http://" + listener.Addr().String(), nil
}

func pathOf(r *Release, file string) string { return r.Name() + "/" + filepath.Base(file) }

// createBundles creates a Bundle for each release, and waits until all are Ready.
func (p *provider) createBundles(ctx context.Context, url string, releases []*Release) error {
	var bundles []*v1alpha1.Bundle
	for _, r := range byBundle(releases) {
		b, err := newBundle(url, r)
		if err != nil {
			return err
		}
		if err := p.management.Client.Create(ctx, b); err != nil {
			return err
		}
		bundles = append(bundles, b)
	}
	for _, b := range bundles {
		list := &v1alpha1.BundleList{}
		if err := p.await(ctx, list, b.Name, func(o client.Object) error {
			return isReady(o.(*v1alpha1.Bundle).Status.Conditions)
		}); err != nil {
			return err
		}
	}
	return nil
}

// byBundle returns the releases of each bundle together.
func byBundle(releases []*Release) [][]*Release {
	var names []string
	grouped := map[string][]*Release{}
	for _, r := range releases {
		if grouped[r.Bundle] == nil {
			names = append(names, r.Bundle)
		}
		grouped[r.Bundle] = append(grouped[r.Bundle], r)
	}
	all := make([][]*Release, len(names))
	for i, name := range names {
		all[i] = grouped[name]
	}
	return all
}

// newBundle returns the releases of one bundle as the API has them.
func newBundle(url string, releases []*Release) (*v1alpha1.Bundle, error) {
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: managementNamespace, Name: releases[0].Bundle}}
	for _, r := range releases {
		release := v1alpha1.Release{Version: r.Version}
		for _, phase := range r.Phases {
			sources := make([]v1alpha1.Source, len(phase.Files))
			for i, file := range phase.Files {
				content, err := os.ReadFile(file)
				if err != nil {
					return nil, err
				}
				sources[i].HTTPS = &v1alpha1.HTTPSSource{
					URL:    url + "/" + pathOf(r, file),
					Digest: v1alpha1.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(content))),
				}
			}
			release.Phases = append(release.Phases, v1alpha1.Phase{Name: phase.Name, Sources: sources})
		}
		b.Spec.Releases = append(b.Spec.Releases, release)
	}
	return b, nil
}

// errManager is of a manager that has ended.
var errManager = errors.New("the manager has ended")

// usage of the manager and what it has started.
func (p *provider) usage() (measure.Usage, error) {
	if err := p.manager.Ended(); err != nil {
		return measure.Usage{}, errors.Join(errManager, err)
	}
	return measure.OfTree(p.manager.PID())
}

// Attach creates the Cluster, as Cluster API would have it, without a label.
func (p *provider) Attach(ctx context.Context, t *Target) (Session, error) {
	cluster, err := p.management.AddCluster(ctx, testenv.ClusterOptions{
		Namespace: managementNamespace, Name: t.Name, Workload: t.Through,
	})
	if err != nil {
		return nil, err
	}
	return &providerSession{provider: p, target: t, cluster: cluster}, nil
}

func newSet(name string, r *Release, descriptions v1alpha1.CRDDescriptions) *v1alpha1.ClusterBundleSet {
	set := &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: managementNamespace, Name: name},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{selectedLabel: name}},
			Bundle:          v1alpha1.BundleSelector{Name: r.Bundle, Version: r.Version},
		},
	}
	set.Spec.CRDDescriptions = descriptions
	return set
}

func hasSeen(o client.Object) error {
	set := o.(*v1alpha1.ClusterBundleSet)
	if set.Status.Matched == nil {
		return errors.New("the set has no status yet")
	}
	if n := ptr.Deref(set.Status.Matched, 0); n != 0 {
		return fmt.Errorf("the set matches %d Clusters without a label", n)
	}
	return nil
}
