package patch

import (
	"strings"
	"testing"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// installations selects those of Calico.
var installations = v1alpha1.PatchSelector{APIVersion: "operator.tigera.io/v1", Kind: "Installation"}

// patchOf returns a patch named p of the Installations.
func patchOf(changes ...v1alpha1.JSONPatch) v1alpha1.Patch {
	return v1alpha1.Patch{Name: "p", Selector: installations, JSONPatches: changes}
}

// adds is a change that adds a value at /spec/x.
func adds(value string) v1alpha1.JSONPatch {
	return v1alpha1.JSONPatch{Op: "add", Path: "/spec/x", Value: written(value)}
}

func fromVariable(path string) v1alpha1.JSONPatch {
	return v1alpha1.JSONPatch{Op: "add", Path: "/spec/x", ValueFrom: &v1alpha1.JSONPatchValue{Variable: path}}
}

func fromTemplate(text string) v1alpha1.JSONPatch {
	return v1alpha1.JSONPatch{Op: "add", Path: "/spec/x", ValueFrom: &v1alpha1.JSONPatchValue{Template: text}}
}

func TestAPatchIsEvaluatedForItsCluster(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given v1alpha1.JSONPatch
		want  string
	}{
		"a value":                     {adds(`{"a": [1]}`), `{"a": [1]}`},
		"a variable":                  {fromVariable("builtin.cluster.network.pods"), `["10.1.0.0/16","fd00::/48"]`},
		"a number":                    {fromVariable("controlPlaneEndpoint.port"), `6443`},
		"a template":                  {fromTemplate("{{ .mtu }}"), `9000`},
		"a template of text":          {fromTemplate(`"{{ .mtu }}"`), `"9000"`},
		"a template of a list":        {fromTemplate("{{ range .builtin.cluster.network.pods }}\n- cidr: {{ . }}{{ end }}"), `[{"cidr":"10.1.0.0/16"},{"cidr":"fd00::/48"}]`},
		"a removal, which has no use": {v1alpha1.JSONPatch{Op: "remove", Path: "/spec/x"}, ""},
	} {
		changes, err := Evaluate([]v1alpha1.Patch{patchOf(test.given)}, variablesOf(t, oslo()))
		if err != nil || len(changes) != 1 || string(changes[0].Operations[0].Value) != test.want {
			t.Errorf("%s: want %s, got %v and %v", name, test.want, changes, err)
		}
	}
}

func TestAPatchCountsWhereItIsEnabled(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]bool{
		"":                                      true,
		"{{ eq .builtin.cluster.name `oslo` }}": true,
		" true\n":                               true,
		"{{ eq .builtin.cluster.name `rome` }}": false,
		"yes":                                   false,
		"{{ if .controlPlaneEndpoint }}false{{ end }}": false,
	} {
		patch := patchOf(fromVariable("missing"))
		if want {
			patch = patchOf(adds("1"))
		}
		patch.EnabledIf = given
		changes, err := Evaluate([]v1alpha1.Patch{patch}, variablesOf(t, oslo()))
		if err != nil || (len(changes) == 1) != want {
			t.Errorf("%q: want enabled: %v, got %v and %v", given, want, changes, err)
		}
	}
}

func TestAPatchThatCannotBeEvaluatedIsNamed(t *testing.T) {
	t.Parallel()
	bare := oslo(func(c *clusterv1.Cluster) { c.Spec.ControlPlaneEndpoint = clusterv1.APIEndpoint{} })
	disabledBy := func(template string) v1alpha1.Patch {
		patch := patchOf(adds("1"))
		patch.EnabledIf = template
		return patch
	}
	at := func(path string) v1alpha1.Patch {
		return patchOf(v1alpha1.JSONPatch{Op: "add", Path: path, Value: written("1")})
	}
	for name, test := range map[string]struct {
		given v1alpha1.Patch
		class fault.Class
		want  string
	}{
		"a variable that is missing":    {patchOf(fromVariable("nothing.x")), fault.ClassStall, "jsonPatches[0] (/spec/x): the Cluster has no variable nothing.x"},
		"a template with none":          {patchOf(fromTemplate("{{ .nothing }}")), fault.ClassStall, "no value"},
		"a template that fails":         {patchOf(fromTemplate("{{ fail `no pods` }}")), fault.ClassStall, "no pods"},
		"a template of another grammar": {patchOf(fromTemplate("{{ if }}")), fault.ClassStall, "missing value for if"},
		"a template of no YAML":         {patchOf(fromTemplate("a: b: c")), fault.ClassStall, "not YAML"},
		"enabledIf":                     {disabledBy("{{ .a.b.c }}"), fault.ClassStall, "enabledIf: "},
		"no value":                      {patchOf(v1alpha1.JSONPatch{Op: "replace", Path: "/spec/x"}), fault.ClassStall, "replace needs value or valueFrom"},
		"a path that is none":           {at("spec"), fault.ClassStall, "no JSON pointer"},
		"the name":                      {at("/metadata/name"), fault.ClassStall, "identity"},
		"the namespace":                 {at("/metadata/namespace"), fault.ClassStall, "identity"},
		"the kind":                      {at("/kind"), fault.ClassStall, "identity"},
		"all metadata":                  {at("/metadata"), fault.ClassStall, "identity"},
		"the label of a member":         {at("/metadata/labels/applyset.kubernetes.io~1part-of"), fault.ClassStall, "of this provider"},
		"an annotation of ours":         {at("/metadata/annotations/addons.cluster.x-k8s.io~1sha256"), fault.ClassStall, "of this provider"},

		"the endpoint, not set yet":                {patchOf(fromVariable("controlPlaneEndpoint.host")), fault.ClassWait, "controlPlaneEndpoint"},
		"the endpoint in a template":               {patchOf(fromTemplate("{{ .controlPlaneEndpoint.host }}")), fault.ClassWait, " yet"},
		"the endpoint in enabledIf":                {disabledBy("{{ eq .controlPlaneEndpoint.port 6443 }}"), fault.ClassWait, "enabledIf"},
		"the version of the control plane":         {patchOf(fromVariable("builtin.controlPlane.version")), fault.ClassWait, "builtin.controlPlane.version"},
		"the version in a template, not set yet":   {patchOf(fromTemplate("{{ .builtin.controlPlane.version }}")), fault.ClassWait, " yet"},
		"a member that the endpoint does not have": {patchOf(fromVariable("builtin.cluster.x")), fault.ClassStall, "no variable"},
	} {
		variables, err := VariablesOf(bare, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		reason := v1alpha1.PatchFailedReason
		if test.class == fault.ClassWait {
			reason = v1alpha1.VariableNotSetReason
		}
		changes, err := Evaluate([]v1alpha1.Patch{test.given}, variables)
		if fault.ClassOf(err) != test.class || fault.ReasonOf(err, "") != reason || len(changes) != 0 ||
			err == nil || !strings.HasPrefix(err.Error(), "patch p: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want a %v with %q, got %v: %v", name, test.class, test.want, fault.ClassOf(err), err)
		}
	}
}

func TestPatchesThatUseTheVersionOfTheControlPlaneAreKnown(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]bool{
		"{{ .builtin.controlPlane.version }}": true,
		"{{ .controlPlaneEndpoint.host }}":    false,
		"{{ .builtin.cluster.name }}":         false,
	} {
		enabled := patchOf(adds("1"))
		enabled.EnabledIf = given
		for _, patch := range []v1alpha1.Patch{enabled, patchOf(adds("1"), fromTemplate(given)), patchOf(fromVariable(given))} {
			if got := NeedKubernetes([]v1alpha1.Patch{patchOf(adds("2")), patch}); got != want {
				t.Errorf("%s: want %v", given, want)
			}
		}
	}
}

func TestChangesSelectByKindNameAndNamespace(t *testing.T) {
	t.Parallel()
	change := func(name string, at v1alpha1.PatchSelector) Change { return Change{Name: name, Selector: at} }
	changes := Changes{
		change("kind", v1alpha1.PatchSelector{APIVersion: "apps/v1", Kind: "Deployment"}),
		change("name", v1alpha1.PatchSelector{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}),
		change("namespace", v1alpha1.PatchSelector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop"}),
		change("core", v1alpha1.PatchSelector{APIVersion: "v1", Kind: "Service"}),
		change("chart", v1alpha1.PatchSelector{HelmRelease: "cilium"}),
	}
	names := func(some Changes) string {
		var all []string
		for _, e := range some {
			all = append(all, e.Name)
		}
		return strings.Join(all, " ")
	}
	for want, got := range map[string]Changes{
		"kind name namespace":      changes.For(manifest.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}),
		"kind":                     changes.For(manifest.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "a", Name: "b"}),
		"":                         changes.For(manifest.Ref{Group: "apps", Version: "v1beta1", Kind: "Deployment", Name: "web"}),
		"core":                     changes.For(manifest.Ref{Version: "v1", Kind: "Service", Name: "web"}),
		"chart":                    changes.OfChart("cilium"),
		"kind name namespace core": changes.OfObjects(),
	} {
		if names(got) != want {
			t.Errorf("want %q, got %q", want, names(got))
		}
	}
	if len(changes.OfChart("")) > 0 || changes.Digest() == changes.OfObjects().Digest() || (Changes{}).Digest() != "" {
		t.Error("want no chart without a name, and another digest for other changes")
	}
}
