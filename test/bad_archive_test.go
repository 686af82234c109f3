package test

import (
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// packed returns a source that is an archive with the files.
func packed(files map[string]string, change ...func(*v1alpha1.HTTPSSource)) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source {
		source := s.web.publish("calico.tgz", s.tarball(files))
		for _, c := range change {
			c(source.HTTPS)
		}
		return source
	}
}

// fileOf returns a source with the name and the content.
func fileOf(name, content string) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source { return s.web.publish(name, content) }
}

func badArchives() map[string]badInput {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"
	return map[string]badInput{
		"no gzip": {
			given: fileOf("calico.tgz", config), want: "False ArchiveInvalid: .*calico.tgz", stall: true,
		},
		"cut off": {
			given: func(s *scenario) v1alpha1.Source {
				whole := s.tarball(map[string]string{"a.yaml": config + "data: {a: " + noise(20_000) + "}\n"})
				return s.web.publish("calico.tgz", whole[:len(whole)/2])
			},
			want: "False ArchiveInvalid: .*calico.tgz", stall: true,
		},
		"a bomb": {
			given: packed(map[string]string{"a.yaml": strings.Repeat("#", 64<<20)}),
			want:  "False LimitExceeded: .*calico.tgz.*200", stall: true,
		},
		"an entry that leaves it": {
			given: packed(map[string]string{"../../x.yaml": config}),
			want:  `False ArchiveInvalid: .*\.\./\.\./x.yaml`, stall: true,
		},
		"a link": {
			given: func(s *scenario) v1alpha1.Source { return s.web.publish("calico.tgz", s.tarballWithLink()) },
			want:  "False ArchiveInvalid: .*link.yaml", stall: true,
		},
		"a pattern that no file has": {
			given: packed(map[string]string{"a.yaml": config}, func(src *v1alpha1.HTTPSSource) { src.Files = []string{"manifests/*.yaml"} }),
			want:  "False .*: .*calico.tgz.*manifests/", stall: true,
		},
		"nothing in it": {
			given: packed(map[string]string{"README.md": "nothing"}), want: "False .*: .*calico.tgz", stall: true,
		},
	}
}

func badKustomizations() map[string]badInput {
	return map[string]badInput{
		"a base on the internet": {
			given: packed(map[string]string{"kustomization.yaml": "resources: ['https://jane:" + password + "@example.com/a.yaml?ref=" + password + "']\n"}),
			want:  "False KustomizationInvalid: .*is not in the archive", stall: true,
		},
		"a plug-in": {
			given: packed(map[string]string{"kustomization.yaml": "generators: [a.yaml]\n"}),
			want:  "False KustomizationInvalid: .*plug-ins", stall: true,
		},
		"a folder that is missing": {
			given: packed(map[string]string{"overlays/edge/kustomization.yaml": "resources: []\n"},
				func(src *v1alpha1.HTTPSSource) { src.Kustomize = &v1alpha1.Kustomize{Path: "overlays/core"} }),
			want: "False KustomizationInvalid: .*overlays/edge", stall: true,
		},
		"aliases of aliases": {
			given: packed(map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": laughs()}),
			want:  "False (KustomizationInvalid|LimitExceeded): .*calico.tgz", stall: true,
		},
	}
}

// laughs is an object whose aliases stand for ten billion nodes.
func laughs() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata:\n  a0: &a0 [x]\n")
	for i := 1; i <= 10; i++ {
		from := "*a" + string(rune('0'+i-1))
		b.WriteString("  a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(from+", ", 9) + from + "]\n")
	}
	return b.String()
}
