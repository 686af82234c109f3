package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

const (
	installPath = "batch/v1/operator/jobs/install"
	upgradePath = "batch/v1/operator/jobs/upgrade"
	eachPath    = "batch/v1/operator/jobs/each"
)

// hook returns an object that its chart wants applied as the mark says.
func hook(apiVersion, kind, name, mark string) string {
	return strings.Replace(object(apiVersion, kind, "operator", name), "metadata: {",
		fmt.Sprintf("metadata: {annotations: {%s: '%s'}, ", manifest.HookAnnotation, mark), 1)
}

// chart is a phase whose rendering has an operator and hooks.
func chart(rendering string, hooks ...string) written {
	return written{name: "chart", blob: rendering, documents: append([]string{
		object("v1", "Namespace", "", "operator"), object("apps/v1", "Deployment", "operator", "operator"),
	}, hooks...)}
}

// hooked has a hook for each event, and one for both that runs behind the others.
func hooked(rendering string) written {
	return chart(rendering,
		hook("batch/v1", "Job", "install", `{"install":"Before"}`),
		hook("batch/v1", "Job", "upgrade", `{"upgrade":"Before"}`),
		hook("batch/v1", "Job", "each", `{"install":"After","upgrade":"After"}`))
}

// roll makes passes until nothing is left to do, each with nothing remembered, and has
// every Job complete when it is there. It returns what was applied in each pass that
// applied something.
func roll(t *testing.T, cluster *memory, digest string, phases ...written) [][]string {
	t.Helper()
	var all [][]string
	r := rolloutOf(cluster, releaseOf(t, digest, phases...))
	for range enough {
		o := r.Run(t.Context())
		applied := slices.DeleteFunc(cluster.take("apply"), func(at string) bool { return at == parentPath })
		if len(applied) > 0 {
			all = append(all, applied)
		}
		if o.Err == nil {
			return all
		}
		for at, stored := range cluster.objects {
			if strings.Contains(at, "/jobs/") && stored.status == nil {
				stored.status = conditions("Complete", "True", "", "")
			}
		}
	}
	t.Fatalf("%s is not complete after %d passes", digest, enough)
	return nil
}

func TestHooksRunByTheirEventAndWaitForEachOther(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	want := [][]string{{spacePath, installPath}, {operatorPath}, {eachPath}}
	if diff := cmp.Diff(want, roll(t, cluster, "one", hooked("first"))); diff != "" {
		t.Errorf("an installation (-want +got):\n%s", diff)
	}
	if got := roll(t, cluster, "one", hooked("first")); len(got) > 0 {
		t.Errorf("want nothing applied again, got %v", got)
	}
	want = [][]string{{upgradePath}, {eachPath}}
	if diff := cmp.Diff(want, roll(t, cluster, "two", hooked("second"))); diff != "" {
		t.Errorf("an upgrade (-want +got):\n%s", diff)
	}
	if cluster.objects[installPath] == nil {
		t.Error("want what the installation made to stay")
	}
	if got := roll(t, cluster, "three", hooked("second")); len(got) > 0 {
		t.Errorf("want no hook run again for the same rendering, got %v", got)
	}
}

func TestWhatComesBehindACompleteReleaseIsAnUpgrade(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(t *testing.T, cluster *memory)
		want  string
	}{
		"nothing was there": {given: func(*testing.T, *memory) {}, want: installPath},
		"the release before did not become complete": {
			given: func(t *testing.T, cluster *memory) {
				t.Helper()
				rolloutOf(cluster, releaseOf(t, "one", chart("first"))).Run(t.Context())
			},
			want: installPath,
		},
		"one before it did": {
			given: func(t *testing.T, cluster *memory) {
				t.Helper()
				roll(t, cluster, "one", chart("first"))
				rolloutOf(cluster, releaseOf(t, "two", hooked("first"))).Run(t.Context())
			},
			want: upgradePath,
		},
		"it is what was there before": {
			given: func(t *testing.T, cluster *memory) {
				t.Helper()
				roll(t, cluster, "three", chart("first"))
				roll(t, cluster, "two", chart("second"))
			},
			want: upgradePath,
		},
		"it was being uninstalled": {
			given: func(t *testing.T, cluster *memory) {
				t.Helper()
				roll(t, cluster, "one", chart("first"))
				roll(t, cluster, "two", chart("second"))
				parent, _ := cluster.parent()
				removing, err := inventory.ParentOf("default", "cni").Removing(parent)
				if err != nil {
					t.Fatal(err)
				}
				cluster.objects[parentPath].body = encode(t, removing)
			},
			want: installPath,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			test.given(t, cluster)
			cluster.take("")
			applied := slices.Concat(roll(t, cluster, "three", hooked("third"))...)
			for _, at := range []string{installPath, upgradePath} {
				if want := at == test.want; slices.Contains(applied, at) != want {
					t.Errorf("want %s applied %t, got %v", at, want, applied)
				}
			}
		})
	}
}

func TestAHookThatIsTemporaryIsGoneAndNotMissed(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	const accountPath = "v1/operator/serviceaccounts/each"
	temporary := chart("first",
		hook("v1", "ServiceAccount", "each", `{"install":"Before","weight":-1,"temporary":true}`),
		hook("batch/v1", "Job", "each", `{"install":"Before","temporary":true}`))
	roll(t, cluster, "one", temporary)
	if cluster.objects[accountPath] != nil || cluster.objects[eachPath] != nil {
		t.Error("want the hooks gone")
	}
	r := remembering(cluster, releaseOf(t, "one", temporary))
	for hour := range 3 {
		o := r.at(time.Duration(hour) * time.Hour).Run(t.Context())
		if o.Err != nil || o.Phases[0].Ready != 4 {
			t.Errorf("want all of it ready, got %+v", o)
		}
	}
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("want nothing written, got %v", got)
	}
}

// A call that breaks ends the pass, and the next one knows nothing of it: who removed a
// hook must not find it missing.
func TestHooksRunOnceWhicheverCallBreaks(t *testing.T) {
	t.Parallel()
	const each = `{"install":"Before","upgrade":"Before","anew":true`
	releaseOf := func(rendering string) written {
		return chart(rendering, hook("v1", "ServiceAccount", "each", each+`,"weight":-1}`),
			hook("batch/v1", "Job", "each", each+`,"temporary":true}`), hook("batch/v1", "Job", "install", `{"install":"After"}`))
	}
	run := func(broken int, effective bool) (applied map[string]int, calls int) {
		cluster := newMemory(t)
		applied = make(map[string]int)
		cluster.fail = func(_ int, c call) (err error, takesEffect bool) {
			if calls++; calls == broken {
				err, takesEffect = errBroken, effective
			}
			if c.verb == "apply" && c.path != parentPath && (err == nil || takesEffect) {
				applied[c.path]++
			}
			return err, takesEffect
		}
		roll(t, cluster, "one", releaseOf("first"))
		roll(t, cluster, "two", releaseOf("second"))
		return applied, calls
	}
	want, calls := run(0, false)
	if want[eachPath] != 2 || want[installPath] != 1 {
		t.Fatalf("want each hook once for each event, got %v", want)
	}
	for n := range calls {
		for _, effective := range []bool{true, false} {
			if got, _ := run(n+1, effective); cmp.Diff(want, got) != "" {
				t.Errorf("call %d, effective %t (-want +got):\n%s", n+1, effective, cmp.Diff(want, got))
			}
		}
	}
}

func TestAHookOfAnotherRenderingIsMadeAnewOrChanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenKind, givenMark string
		wantDeleted          bool
	}{
		"deleted first, as its chart wants":        {"ConfigMap", `{"install":"Before","upgrade":"Before","anew":true}`, true},
		"in place, as its chart wants":             {"ConfigMap", `{"install":"Before","upgrade":"Before"}`, false},
		"never deleted where it holds data":        {"PersistentVolumeClaim", `{"install":"Before","upgrade":"Before","anew":true}`, false},
		"deleted first since it runs once":         {"Pod", `{"install":"After","upgrade":"After"}`, true},
		"as what it is if it has always its place": {"Namespace", `{"install":"After","upgrade":"After","anew":true}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			given := hook("v1", test.givenKind, "mine", test.givenMark)
			complete := func() {
				for at, stored := range cluster.objects {
					if strings.Contains(at, "/pods/") {
						stored.status = map[string]any{"phase": "Succeeded"}
					}
				}
			}
			cluster.done = func(int, call) { complete() }
			roll(t, cluster, "one", chart("first", given))
			cluster.take("")
			deleted := false
			cluster.done = func(_ int, c call) {
				deleted = deleted || c.verb == "delete" && strings.HasSuffix(c.path, "/mine")
				complete()
			}
			roll(t, cluster, "two", chart("second", given))
			if deleted != test.wantDeleted {
				t.Errorf("want it deleted %t, got %t", test.wantDeleted, deleted)
			}
		})
	}
}

func TestWhatIsNobodysIsNotDeletedForAHook(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.put("v1/operator/configmaps/mine", map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "mine"},
	})
	converge(t, rolloutOf(cluster, releaseOf(t, "one",
		chart("first", hook("v1", "ConfigMap", "mine", `{"install":"Before","anew":true}`)))))
	if got := cluster.take("delete"); len(got) > 0 {
		t.Errorf("want it taken over, got %v deleted", got)
	}
}

func TestAHookIsNotRepaired(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	given := chart("first", hook("v1", "ConfigMap", "mine", `{"install":"Before","anew":true}`))
	r := remembering(cluster, releaseOf(t, "one", given))
	converge(t, r)
	cluster.take("")
	delete(cluster.objects, "v1/operator/configmaps/mine")
	if o := r.at(time.Hour).Run(t.Context()); o.Err != nil || cluster.objects["v1/operator/configmaps/mine"] != nil {
		t.Errorf("want it left as it is, got %v", o.Err)
	}
}

func TestAHookOfAnUpgradeIsNotRunAgainWhenTheReleaseIsOpenedAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	roll(t, cluster, "one", chart("first"))
	given := chart("second", hook("batch/v1", "Job", "upgrade", `{"upgrade":"Before"}`)+"spec: {ttlSecondsAfterFinished: 0}\n")
	r := remembering(cluster, releaseOf(t, "two", given))
	r.Run(t.Context())
	if cluster.objects[upgradePath] == nil {
		t.Fatal("want the Job there")
	}
	delete(cluster.objects, upgradePath)
	r.Release = releaseOf(t, "two", given)
	r.at(memoryLife / 2).Run(t.Context())
	if cluster.objects[upgradePath] != nil {
		t.Error("want the Job not run again")
	}
}

func TestAHookPodRunsToItsEnd(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	const podPath = "v1/operator/pods/mine"
	r := rolloutOf(cluster, releaseOf(t, "one", chart("first", hook("v1", "Pod", "mine", `{"install":"Before"}`))))
	r.Run(t.Context())
	running := conditions("Ready", "True", "", "")
	running["phase"] = "Running"
	cluster.objects[podPath].status = running
	if o := r.Run(t.Context()); cluster.objects[operatorPath] != nil || !strings.Contains(o.Err.Error(), "has not run to its end") {
		t.Errorf("want the Deployment to wait, got %v", o.Err)
	}
	cluster.objects[podPath].status = map[string]any{"phase": "Succeeded"}
	converge(t, r)
	if cluster.objects[operatorPath] == nil {
		t.Error("want the Deployment behind it")
	}
}
