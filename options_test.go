package main

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app"
)

// onlyCoreHas are the flags of Cluster API's core provider that are about its own kinds
// and webhooks, with what else this provider lacks on purpose.
var onlyCoreHas = []string{
	"additional-sync-machine-annotations", "additional-sync-machine-labels",
	"clusterclass-concurrency", "clusterresourceset-concurrency", "clustertopology-concurrency",
	"extensionconfig-concurrency", "machine-concurrency", "machinedeployment-concurrency",
	"machinehealthcheck-concurrency", "machinepool-concurrency", "machineset-concurrency",
	"machineset-preflight-checks", "remote-conditions-grace-period", "remote-connection-grace-period",
	"runtime-extension-client-cert-file", "runtime-extension-client-key-file", "skip-crd-migration-phases",
	"webhook-cert-dir", "webhook-cert-name", "webhook-key-name", "webhook-port",
	// What is applied is not slowed down on the client's side: how many requests are
	// under way at once is bounded.
	"clustercache-client-burst", "clustercache-client-qps",
	// There is no ClusterCache: the flag is --connection-concurrency.
	"clustercache-concurrency",
	"cluster-concurrency",
}

var flagName = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z0-9-]+)`)

func TestTheFlagsAreThoseOfClusterAPI(t *testing.T) {
	t.Parallel()
	usage, err := exec.CommandContext(t.Context(), filepath.Join("bin", "capi-core"), "--help").CombinedOutput()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("bin/capi-core is missing: make test builds it")
	}
	found := flagName.FindAllSubmatch(usage, -1)
	if len(found) < 40 {
		t.Fatalf("want the flags of capi-core, got %s", usage)
	}
	ours := newOptions().flags()
	for _, name := range found {
		if !slices.Contains(onlyCoreHas, string(name[1])) && ours.Lookup(string(name[1])) == nil {
			t.Errorf("want --%s", name[1])
		}
	}
}

func TestFlagsSetTheOptions(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "caapb-system")
	o := newOptions()
	err := o.flags().Parse([]string{
		"--profiler-address=localhost:6060", "--contention-profiling", "--namespace=team-a", "--watch-filter=blue",
		"--leader-elect", "--leader_elect_lease_duration=30s", "--diagnostics-address=:9000",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, want := o.app.Manager, app.DefaultOptions().Manager
	want.ProfilerAddress, want.ContentionProfiling = "localhost:6060", true
	want.Namespace, want.WatchFilter = "team-a", "blue"
	want.LeaderElection, want.LeaseDuration, want.LeaderElectionNamespace = true, 30*time.Second, "caapb-system"
	if got.ProfilerAddress != want.ProfilerAddress || !got.ContentionProfiling ||
		got.Namespace != want.Namespace || got.WatchFilter != want.WatchFilter ||
		!got.LeaderElection || got.LeaseDuration != want.LeaseDuration ||
		got.LeaderElectionNamespace != want.LeaderElectionNamespace {
		t.Errorf("want %+v, got %+v", want, got)
	}
	if o.diagnostics.DiagnosticsAddress != ":9000" || o.diagnostics.InsecureDiagnostics {
		t.Errorf("got %+v", o.diagnostics)
	}
	if err := o.flags().Parse([]string{"--no-such-flag"}); err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got %v", err)
	}
}

func TestFeatureGatesAreTurnedOff(t *testing.T) {
	t.Parallel()
	o := newOptions()
	if err := o.flags().Parse([]string{"--feature-gates=ClusterPatches=false"}); err != nil {
		t.Fatal(err)
	}
	features := o.app.Features
	if features.Enabled(app.ClusterPatches) || !features.Enabled(app.KubernetesUpgradeHold) || !features.Enabled(app.CrossNamespaceBundles) {
		t.Errorf("want the one that is named off, got %v", features)
	}
	if !newOptions().app.Features.Enabled(app.ClusterPatches) {
		t.Error("want the gates of another manager as they are")
	}
	if err := newOptions().flags().Parse([]string{"--feature-gates=Unknown=true"}); err == nil {
		t.Error("want an unknown gate refused")
	}
}
