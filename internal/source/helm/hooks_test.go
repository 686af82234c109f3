//go:build !no_helm

package helm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// hooked returns an object with annotations.
func hooked(annotations string) string {
	return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {" + annotations + "}}\n"
}

func TestHooksAreMarkedByTheirEventAndPolicy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		want  manifest.Hook
	}{
		"before an installation": {
			`helm.sh/hook: pre-install`, manifest.Hook{Install: manifest.Before, Anew: true},
		},
		"behind an upgrade, and in a test": {
			`helm.sh/hook: "post-upgrade,test"`, manifest.Hook{Upgrade: manifest.After, Anew: true},
		},
		"however it is written": {
			`helm.sh/hook: " Pre-Install, post-UPGRADE "`,
			manifest.Hook{Install: manifest.Before, Upgrade: manifest.After, Anew: true},
		},
		"before and behind, which is before": {
			`helm.sh/hook: "post-install,pre-install"`, manifest.Hook{Install: manifest.Before, Anew: true},
		},
		"with a weight": {
			`helm.sh/hook: pre-install, helm.sh/hook-weight: "-5"`,
			manifest.Hook{Install: manifest.Before, Weight: -5, Anew: true},
		},
		"with a weight that is none": {
			`helm.sh/hook: pre-install, helm.sh/hook-weight: heavy`, manifest.Hook{Install: manifest.Before, Anew: true},
		},
		"that go when they succeeded": {
			`helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded`,
			manifest.Hook{Install: manifest.Before, Temporary: true},
		},
		"with several policies": {
			`helm.sh/hook: pre-install, helm.sh/hook-delete-policy: "before-hook-creation, hook-succeeded,hook-failed"`,
			manifest.Hook{Install: manifest.Before, Anew: true, Temporary: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, files{"templates/x.yaml": hooked(test.given)}.with(nil), options(nil))
			if err != nil {
				t.Fatal(err)
			}
			for object, err := range manifest.Objects(strings.NewReader(got), "x", manifest.DefaultLimits()) {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&test.want, object.Hook); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(helmsOwn(t, hooked(test.given)), object.Hook); diff != "" {
					t.Errorf("Helm reads another (-Helm +got):\n%s", diff)
				}
				if !strings.Contains(string(object.JSON), `"helm.sh/hook":`) {
					t.Errorf("want the annotations as Helm applies them, got %s", object.JSON)
				}
			}
		})
	}
}

// helmsOwn returns the hook as Helm's library reads it; nil if it skips it.
func helmsOwn(t *testing.T, content string) *manifest.Hook {
	t.Helper()
	hooks, _, err := releaseutil.SortManifests(map[string]string{"x.yaml": content}, nil, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	if len(hooks) == 0 {
		return nil
	}
	has := func(policy release.HookDeletePolicy) bool { return slices.Contains(hooks[0].DeletePolicies, policy) }
	at := func(before, after release.HookEvent) manifest.Moment {
		switch {
		case slices.Contains(hooks[0].Events, before):
			return manifest.Before
		case slices.Contains(hooks[0].Events, after):
			return manifest.After
		}
		return ""
	}
	return &manifest.Hook{
		Install: at(release.HookPreInstall, release.HookPostInstall), Upgrade: at(release.HookPreUpgrade, release.HookPostUpgrade),
		Weight: hooks[0].Weight, Temporary: has(release.HookSucceeded),
		Anew: has(release.HookBeforeHookCreation) || len(hooks[0].DeletePolicies) == 0,
	}
}

func TestHooksThatNeverRunHereAreLeftOutAndNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	opts := options(nil)
	opts.Hooks = v1alpha1.RefuseHooks
	for _, events := range []string{
		"test", "test-success,test-failure", "pre-delete,post-delete", "pre-rollback", "someday", "pre-install,someday",
	} {
		got, err := render(t, files{"templates/x.yaml": hooked(`helm.sh/hook: "` + events + `"`)}.with(nil), opts)
		if err != nil || got != "" {
			t.Errorf("%s: want nothing, got %v:\n%s", events, err, got)
		}
		if read := helmsOwn(t, hooked(`helm.sh/hook: "`+events+`"`)); read != nil && (read.Install != "" || read.Upgrade != "") {
			t.Errorf("%s: Helm would run it: %v", events, read)
		}
	}
}

func TestHooksForADeletionAreAWarning(t *testing.T) {
	t.Parallel()
	_, warnings := warnedOf(t, files{
		"templates/x.yaml": hooked(`helm.sh/hook: "post-install,pre-delete"`) + hooked(`helm.sh/hook: test`),
		"templates/y.yaml": hooked(`helm.sh/hook: post-delete`),
	}.with(nil), options(nil))
	want := []string{"its hooks for a deletion do not run: do yourself what they clean up behind an uninstall: " +
		"web/templates/x.yaml, web/templates/y.yaml"}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherHooksCanBeRefused(t *testing.T) {
	t.Parallel()
	opts := options(nil)
	opts.Hooks = v1alpha1.RefuseHooks
	chart := files{}.with(nil)
	for name := range strings.SplitSeq("abcdefgh", "") {
		chart["templates/"+name+".yaml"] = hooked("helm.sh/hook: pre-install")
	}
	_, err := render(t, chart, opts)
	wantTerminal(t, err, v1alpha1.ChartInvalidReason,
		"chart web", "hooks is Refuse", "web/templates/a.yaml, ", "web/templates/e.yaml, and 3 more")
}

func TestAHookWhoseAnnotationsStandTwiceIsThatOfTheLast(t *testing.T) {
	t.Parallel()
	given := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  annotations: {a: b}\n" +
		"  annotations: {helm.sh/hook: pre-install}\n"
	got, err := render(t, files{"templates/x.yaml": given}.with(nil), options(nil))
	if err != nil || strings.Count(got, "addons.cluster.x-k8s.io/hook") != 1 || strings.Contains(got, "a: b") {
		t.Errorf("got %v:\n%s", err, got)
	}
}
