package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestARestartWithASnapshotForgetsWhatCameLater(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 1})
	c, p := f.Cluster(0), peerOf(t, "simulated", f.Cluster(0).Config())
	p.namespace = "default"
	p.ask(t, call{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")})
	snapshot := c.Snapshot()
	p.ask(t, call{"PATCH", maps1 + "/b?fieldManager=one", applyJSON, "", configMap("b", "1")})
	p.ask(t, call{"GET", maps1, "", asMetaList, ""})
	watch := p.watchOf(t, maps1+"?watch=true&resourceVersion=RV", asMetadata)
	c.Restart(snapshot)
	if _, err := watch.ReadBytes('\n'); err == nil {
		t.Error("want the watch to end, got a frame")
	}
	code := 0
	testenv.Eventually(t, "it answers again", func() bool { code = codeOf(t, c, long); return code == http.StatusOK })
	for path, want := range map[string]int{maps1 + "/a": http.StatusOK, maps1 + "/b": http.StatusNotFound} {
		if code, _ := p.send(t, call{"GET", path, "", "", ""}); code != want {
			t.Errorf("%s: want %d, got %d", path, want, code)
		}
	}
	frame, err := p.watchOf(t, maps1+"?watch=true&resourceVersion=1", asMetadata).ReadString('\n')
	if err != nil || !strings.Contains(frame, "too old resource version") {
		t.Errorf("want a watch from before the restart to be too old, got %q, %v", frame, err)
	}
}

func TestWorkloadsBecomeReady(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clusters: 1, ReadyAfter: time.Millisecond})
	p := peerOf(t, "simulated", f.Cluster(0).Config())
	tests := map[string]struct{ path, version, kind, spec, want string }{
		"a Deployment":  {"/apis/apps/v1/namespaces/default/deployments/a", "apps/v1", "Deployment", `"replicas":2`, `"availableReplicas":2`},
		"a DaemonSet":   {"/apis/apps/v1/namespaces/default/daemonsets/a", "apps/v1", "DaemonSet", ``, `"numberAvailable":1`},
		"a StatefulSet": {"/apis/apps/v1/namespaces/default/statefulsets/a", "apps/v1", "StatefulSet", ``, `"readyReplicas":1`},
		"a Job":         {"/apis/batch/v1/namespaces/default/jobs/a", "batch/v1", "Job", ``, `"type":"Complete"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"apiVersion":"` + tc.version + `","kind":"` + tc.kind + `","metadata":{"name":"a"},"spec":{` + tc.spec + `}}`
			if code, content := p.send(t, call{"PATCH", tc.path + "?fieldManager=one", applyJSON, "", body}); code != http.StatusCreated {
				t.Fatalf("%d %s", code, content)
			}
			testenv.Eventually(t, name+" is ready", func() bool {
				_, content := p.send(t, call{"GET", tc.path, "", "", ""})
				return strings.Contains(string(content), tc.want)
			})
		})
	}
}

func TestWhatManyClustersDoIsWorkedOutOnce(t *testing.T) {
	t.Parallel()
	const clusters = 50
	f := start(t, Options{Clusters: clusters})
	for i := range clusters {
		p := peerOf(t, "simulated", f.Cluster(i).Config())
		p.namespace = "default"
		p.ask(t, call{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")})
		if got := f.Cluster(i).Objects("", "configmaps"); got != 1 {
			t.Fatalf("cluster %d: want its object, got %d", i, got)
		}
	}
	first := f.Cluster(0).of(storage{"", "configmaps"}).objects[0]
	last := f.Cluster(clusters - 1).of(storage{"", "configmaps"}).objects[0]
	if first.state != last.state {
		t.Error("want both to have one state")
	}
	if f.Cluster(0).uid(first) == f.Cluster(1).uid(last) {
		t.Error("want UIDs that differ")
	}
}
