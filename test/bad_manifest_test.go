package test

import (
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// manifests returns a source of manifests.
func manifests(text ...string) func(*scenario) v1alpha1.Source {
	return fileOf("calico.yaml", documents(text...))
}

func badManifests() map[string]badInput {
	fine := configMap("default", "fine", "x")
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"
	many := make([]string, 10_001)
	for i := range many {
		many[i] = configMap("default", fmt.Sprint("a-", i), "x")
	}
	seventeen := append(many[:16:16], "kind: [not closed\n")
	return map[string]badInput{
		"a document that is no YAML": {
			given: manifests(seventeen...), want: `False ManifestInvalid: .*calico.yaml, document 17 \(line`, stall: true,
		},
		"an object without a kind": {
			given: manifests(fine, "apiVersion: v1\nmetadata: {name: nobody}\n"),
			want:  `False ManifestInvalid: .*calico.yaml, document 2 .*kind`, stall: true,
		},
		"an object without a name": {
			given: manifests("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: default}\n"),
			want:  `False ManifestInvalid: .*calico.yaml, document 1 .*name`, stall: true,
		},
		"a text in place of an object": {
			given: manifests(fine, "just a text\n"), want: `False ManifestInvalid: .*calico.yaml, document 2`, stall: true,
		},
		"an object twice with different content": {
			given: manifests(fine, configMap("default", "fine", "other")),
			want:  `False ObjectConflict: .*calico.yaml, document 1.*calico.yaml, document 2`, stall: true,
		},
		"an item of a List that is none": {
			given: manifests("apiVersion: v1\nkind: List\nitems: [3]\n"), want: "False ManifestInvalid: .*calico.yaml, document 1", stall: true,
		},
		"control characters": {
			given: manifests(config + "data: {a: \"\x01\"}\n"), want: "False ManifestInvalid: .*calico.yaml", stall: true,
		},
		"aliases of aliases": {
			given: manifests(laughs()), want: "False (LimitExceeded|ManifestInvalid): .*calico.yaml, document 1", stall: true,
		},
		"an alias in itself": {
			given: manifests(config + "data: &a {b: *a}\n"), want: "False ManifestInvalid: .*calico.yaml, document 1", stall: true,
		},
		"millions of nodes": {
			given: manifests(config + "data: [" + strings.Repeat("{a},", 1<<20) + "]\n"),
			want:  "False LimitExceeded: .*calico.yaml, document 1.*200000", stall: true,
		},
		"an object that is too deep": {
			given: manifests(config + "data: " + strings.Repeat("{a: ", 200) + strings.Repeat("}", 200) + "\n"),
			want:  "False LimitExceeded: .*calico.yaml, document 1.*100", stall: true,
		},
		"an object that is too large": {
			given: manifests(config + "data: {a: \"" + strings.Repeat("x", 3<<20) + "\"}\n"),
			want:  "False LimitExceeded: .*calico.yaml, document 1.*3145728", stall: true,
		},
		"too many objects": {
			given: manifests(many...), want: "False LimitExceeded: .*calico.yaml, document 10001.*10000", stall: true,
		},
		"a key that is there twice, where that is refused": {
			given: manifests(config + "data: {a: " + password + ", a: b}\n"),
			want:  "False .*: .*calico.yaml", stall: true,
		},
	}
}

func badExpressions() map[string]badInput {
	when := func(expression string) func(*v1alpha1.Phase) {
		return func(p *v1alpha1.Phase) {
			p.ReadyWhen = []v1alpha1.ReadyWhen{{
				Object:     v1alpha1.ObjectReference{APIVersion: "operator.tigera.io/v1", Kind: "TigeraStatus", Name: "calico"},
				Expression: expression,
			}}
		}
	}
	config := manifests(configMap("default", "fine", "x"))
	return map[string]badInput{
		"that does not compile": {
			given: config, phase: when("self.status.("),
			want: "False ExpressionInvalid: .*phase broken.*TigeraStatus calico", stall: true,
		},
		"that is no condition": {
			given: config, phase: when("1 + 1"), want: "False ExpressionInvalid: .*phase broken.*TigeraStatus calico", stall: true,
		},
	}
}
