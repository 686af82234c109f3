package test

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

// artifact returns a source that is an artifact with the layers, by its tag.
func artifact(layers func(s *scenario, r *ociRegistry) []layer) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source {
		r := newRegistry(s)
		r.push("bad", "v1", layers(s, r)...)
		return r.source("bad", tagged("v1"))
	}
}

// oneLayer is an artifact with one layer.
func oneLayer(mediaType, content string) func(*scenario) v1alpha1.Source {
	return artifact(func(*scenario, *ociRegistry) []layer { return []layer{{mediaType, "", content}} })
}

func badArtifacts() map[string]badInput {
	return map[string]badInput{
		"a layer of an unknown media type": {
			given: oneLayer("application/vnd.example.secret-sauce", "?"),
			want:  "False ArtifactInvalid: .*bad:v1.*secret-sauce", stall: true,
		},
		"a tag that does not exist": {
			given: func(s *scenario) v1alpha1.Source { return newRegistry(s).source("bad", tagged("v9")) },
			want:  "False FetchFailed: .*bad:v9",
		},
		"a version that no tag has": {
			given: func(s *scenario) v1alpha1.Source {
				r := newRegistry(s)
				r.push("bad", "1.0.0", layer{yamlLayer, "", good(s)})
				return r.source("bad", func(src *v1alpha1.OCISource) { src.SemVer = ">=2.0.0" })
			},
			want: "False .*: .*bad.*2.0.0",
		},
		"a layer that is not the one of its digest": {
			given: artifact(func(s *scenario, r *ociRegistry) []layer {
				honest := layer{yamlLayer, "", good(s)}
				r.serveInstead(honest, strings.Replace(good(s), "good", "evil", 1))
				return []layer{honest}
			}),
			want: "False DigestMismatch: .*bad:v1.*sha256:", stall: true,
		},
		"a layer that the registry does not have": {
			given: artifact(func(s *scenario, r *ociRegistry) []layer {
				gone := layer{yamlLayer, "", good(s)}
				r.serveInstead(gone, "")
				return []layer{gone}
			}),
			want: "False FetchFailed: .*bad:v1.*404",
		},
		"an archive with a link": {
			given: artifact(func(s *scenario, _ *ociRegistry) []layer { return []layer{{fluxLayer, "", s.tarballWithLink()}} }),
			want:  "False ArchiveInvalid: .*link.yaml", stall: true,
		},
		"an archive that is a bomb": {
			given: artifact(func(s *scenario, _ *ociRegistry) []layer {
				return []layer{{fluxLayer, "", s.tarball(map[string]string{"a.yaml": strings.Repeat("#", 64<<20)})}}
			}),
			want: "False LimitExceeded: .*200", stall: true,
		},
		"a layer in place of a manifest": {
			given: func(s *scenario) v1alpha1.Source {
				r := newRegistry(s)
				r.push("bad", "v1", layer{yamlLayer, "", good(s)})
				return r.source("bad", func(src *v1alpha1.OCISource) {
					src.Digest = v1alpha1.Digest(digest.FromString(good(s)))
				})
			},
			want: "False .*: .*bad@sha256:",
		},
		"no chart": {
			given: func(s *scenario) v1alpha1.Source {
				r := newRegistry(s)
				r.push("charts/agent", "1.2.3", layer{yamlLayer, "", good(s)})
				return s.helmSource("oci://" + r.repository("charts/agent"))
			},
			want: "False ArtifactInvalid: .*charts/agent.*use an oci source", stall: true,
		},
	}
}

// badSignatures are artifacts that a key has not signed: each has to be signed
// by the key of the Secret that verify names.
func badSignatures() map[string]badInput {
	signed := func(key string, sign func(s *scenario, r *ociRegistry, d digest.Digest)) func(*scenario) v1alpha1.Source {
		return func(s *scenario) v1alpha1.Source {
			s.create(s.publicKey(key, signaturetest.NewKey(s.t)))
			r := newRegistry(s)
			sign(s, r, r.push("app", "v1", layer{yamlLayer, "", good(s)}))
			return r.source("app", tagged("v1"))
		}
	}
	nobody := func(*scenario, *ociRegistry, digest.Digest) {}
	return map[string]badInput{
		"none": {
			given: signed("unused", nobody), verify: signedBy("unused"),
			want: "False SignatureMissing: .*app@sha256:[0-9a-f]+: has no cosign signature", stall: true,
		},
		"of another key": {
			given: signed("another", func(s *scenario, r *ociRegistry, d digest.Digest) {
				r.signBundle("app", d, signaturetest.NewKey(s.t))
			}),
			verify: signedBy("another"), want: "False SignatureInvalid: .*app@sha256:.*not signed by", stall: true,
		},
		"of another artifact": {
			given: signed("moved", func(s *scenario, r *ociRegistry, d digest.Digest) {
				r.put("app", signaturetest.NewKey(s.t).Simple(s.t, digest.FromString("another")), signaturetest.SimpleTag(d))
			}),
			verify: signedBy("moved"), want: "False SignatureInvalid: .*app@sha256:", stall: true,
		},
		"of a file on a web server": {
			given:  func(s *scenario) v1alpha1.Source { return s.web.publish("app.yaml", good(s)) },
			verify: signedBy("nobody"), want: "False SignatureMissing: .*only artifacts of a registry can be signed", stall: true,
		},
		"of a key that is none": {
			given: func(s *scenario) v1alpha1.Source {
				s.create(s.newSecret("no-key", map[string]string{"cosign.pub": password}))
				return oneLayer(yamlLayer, good(s))(s)
			},
			verify: signedBy("no-key"), want: "False .*: .*verify: .*no-key", stall: true,
		},
	}
}
