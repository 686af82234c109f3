package test

import (
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// chartWith returns a source that is a chart with the files added.
func chartWith(extra map[string]string, change ...func(*v1alpha1.HelmSource)) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source {
		published := s.web.publish("agent.tgz", s.helmChart(extra))
		return s.helmSource(published.HTTPS.URL, append(change, func(src *v1alpha1.HelmSource) {
			src.Digest = published.HTTPS.Digest
		})...)
	}
}

// template returns a source that is a chart with this template.
func template(text string) func(*scenario) v1alpha1.Source {
	return chartWith(map[string]string{"agent/templates/bad.yaml": text},
		func(src *v1alpha1.HelmSource) {
			src.Values = &runtime.RawExtension{Raw: []byte(`{"name": "agent", "password": "` + password + `"}`)}
		})
}

func badCharts() map[string]badInput {
	return map[string]badInput{
		"that needs a newer Kubernetes": {
			given: chartWith(map[string]string{"agent/Chart.yaml": "apiVersion: v2\nname: agent\nversion: 1.2.3\nkubeVersion: '>=1.99.0'\n"}),
			want:  "False ChartInvalid: .*1.99.0", stall: true,
		},
		"whose template fails": {
			given: template(`{{ required "a secret word is needed" .Values.nothing }}`),
			want:  "False ChartInvalid: .*templates/bad.yaml", stall: true,
		},
		"whose template does not parse": {
			given: template(`{{ if }}` + password), want: "False ChartInvalid: .*templates/bad.yaml", stall: true,
		},
		"whose template writes no YAML": {
			given: template(`{{ .Values.password }}: [`), want: "False ChartInvalid: .*templates/bad.yaml", stall: true,
		},
		"with a function that is random": {
			given: template(`{{ (genCA "webhook" 365).Cert }}`),
			want:  "False ChartInvalid: .*genCA gives another result.*randomFunctions: PerCluster", stall: true,
		},
		"with a mapping in itself": {
			given: template(`{{ $a := dict }}{{ $_ := set $a "a" $a }}{{ $a }}`),
			want:  "False (ChartInvalid|LimitExceeded): .*agent", stall: true,
		},
		"with templates in each other": {
			given: template(`{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`),
			want:  "False (ChartInvalid|LimitExceeded): .*agent", stall: true,
		},
		"whose values are of the wrong type": {
			given: chartWith(map[string]string{
				"agent/values.schema.json": `{"type":"object","properties":{"name":{"type":"integer"}}}`,
			}),
			want: "False ChartInvalid: .*name", stall: true,
		},
		"with hooks that the source refuses": {
			given: chartWith(map[string]string{"agent/templates/hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n" +
				"  name: hook\n  annotations: {helm.sh/hook: pre-install}\n"},
				func(src *v1alpha1.HelmSource) { src.Hooks = v1alpha1.RefuseHooks }),
			want: "False ChartInvalid: .*hook", stall: true,
		},
		"that is none": {
			given: func(s *scenario) v1alpha1.Source {
				published := s.web.publish("agent.tgz", s.tarball(map[string]string{"agent/README.md": "?"}))
				return s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) { src.Digest = published.HTTPS.Digest })
			},
			want: "False ChartInvalid: .*agent.tgz", stall: true,
		},
		"that is a bomb": {
			given: chartWith(map[string]string{"agent/files/zeros": strings.Repeat("0", 5_000_000)}),
			want:  "False LimitExceeded: .*agent.tgz", stall: true,
		},
		"whose URL has no digest": {
			given: func(s *scenario) v1alpha1.Source { return s.helmSource("https://charts.example.com/agent.tgz") },
			want:  "False SourceInvalid: .*agent.tgz.*digest", stall: true,
		},
	}
}

// badRepositories are the indices of chart repositories.
func badRepositories() map[string]badInput {
	index := func(content string) func(*scenario) v1alpha1.Source {
		return func(s *scenario) v1alpha1.Source {
			digest := s.web.source("", "any").HTTPS.Digest
			s.web.handle("/charts/index.yaml", func(rw http.ResponseWriter, _ *http.Request) {
				_, _ = rw.Write([]byte(content))
			})
			return s.helmSource(s.web.URL+"/charts/agent", func(src *v1alpha1.HelmSource) { src.Digest = digest })
		}
	}
	return map[string]badInput{
		"without the chart": {
			given: index("apiVersion: v1\nentries: {}\n"), want: "False FetchFailed: .*charts/agent",
		},
		"without the version": {
			given: index("apiVersion: v1\nentries: {agent: [{version: 0.1.0, urls: [a.tgz]}]}\n"),
			want:  "False FetchFailed: .*charts/agent.*0.1.0",
		},
		"that is none": {given: index("<html>" + password), want: "False FetchFailed: .*charts/agent"},
		"with another digest": {
			given: index("apiVersion: v1\nentries: {agent: [{version: 1.2.3, urls: [a.tgz], digest: '" + strings.Repeat("0", 64) + "'}]}\n"),
			want:  "False DigestMismatch: .*charts/agent", stall: true,
		},
	}
}
