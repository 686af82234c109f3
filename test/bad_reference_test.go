package test

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// badReferences are ConfigMaps, and Secrets of manifests, that a source names.
func badReferences() map[string]badInput {
	configMapOf := func(name string, text map[string]string, binary map[string][]byte) func(*scenario) v1alpha1.Source {
		return func(s *scenario) v1alpha1.Source {
			s.create(&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Data: text, BinaryData: binary,
			})
			return fromConfigMap(name)
		}
	}
	return map[string]badInput{
		"to what is not there": {
			given: func(*scenario) v1alpha1.Source { return fromConfigMap("nowhere") },
			want:  "False ReferenceNotFound: .*ConfigMap nowhere",
		},
		"to a key that is not YAML": {
			given: configMapOf("broken", map[string]string{"good": "# nothing", "worse": "kind: ["}, nil),
			want:  "False ManifestInvalid: .*ConfigMap broken key worse, document 1", stall: true,
		},
		"to a key that is not there": {
			given: func(s *scenario) v1alpha1.Source {
				configMapOf("small", map[string]string{"a": ""}, nil)(s)
				return fromConfigMap("small", "big")
			},
			want: `False ReferenceNotFound: .*ConfigMap small: it has no key "big"`,
		},
		"to nothing": {
			given: configMapOf("empty", nil, nil), want: "False ReferenceNotFound: .*ConfigMap empty: it has no keys",
		},
		"to gzip that is none": {
			given: configMapOf("packed", nil, map[string][]byte{"bad": append([]byte{0x1f, 0x8b}, "no gzip"...)}),
			want:  "False ArchiveInvalid: .*ConfigMap packed key bad", stall: true,
		},
		"to a Secret of another type": {
			given: func(s *scenario) v1alpha1.Source {
				secret := s.resourceSet("opaque", password)
				secret.Type = corev1.SecretTypeOpaque
				s.create(secret)
				return fromSecret("opaque")
			},
			want: "False ReferenceInvalid: .*Secret opaque: it is of the type Opaque", stall: true,
		},
		"to a Secret that is not YAML": {
			given: func(s *scenario) v1alpha1.Source {
				s.create(s.resourceSet("unreadable", password+": ["))
				return fromSecret("unreadable")
			},
			want: "False ManifestInvalid: .*Secret unreadable key", stall: true,
		},
	}
}

// badSecrets are those that a source names for its server.
func badSecrets() map[string]badInput {
	login := func(name string, change func(*corev1.Secret)) func(*scenario) v1alpha1.Source {
		return func(s *scenario) v1alpha1.Source {
			secret := s.newSecret(name, map[string]string{"token": password, "host": "example.com"})
			change(secret)
			s.create(secret)
			source := s.web.publish("calico.yaml", good(s))
			source.HTTPS.URL = "https://example.com/calico.yaml"
			source.HTTPS.SecretRef.Name = name
			return source
		}
	}
	typed := func(of corev1.SecretType) func(*corev1.Secret) { return func(s *corev1.Secret) { s.Type = of } }
	return map[string]badInput{
		"that is not there": {
			given: func(s *scenario) v1alpha1.Source {
				source := s.web.publish("calico.yaml", good(s))
				source.HTTPS.URL, source.HTTPS.SecretRef.Name = "https://example.com/calico.yaml", "nowhere"
				return source
			},
			want: "False ReferenceNotFound: .*Secret nowhere: it does not exist",
		},
		"that was not made for sources": {
			given: login("not-for-sources", func(s *corev1.Secret) { s.Labels = nil }),
			want:  "False ReferenceInvalid: .*Secret not-for-sources: .*" + v1alpha1.SourceLabel, stall: true,
		},
		"with a kubeconfig": {
			given: login("kubeconfig", typed("cluster.x-k8s.io/secret")),
			want:  "False ReferenceInvalid: .*Secret kubeconfig: it is of the type cluster.x-k8s.io/secret", stall: true,
		},
		"with a bootstrap token": {
			given: login("bootstrap", typed(corev1.SecretTypeBootstrapToken)),
			want:  "False ReferenceInvalid: .*Secret bootstrap: it is of the type bootstrap.kubernetes.io/token", stall: true,
		},
		"for another host": {
			given: login("elsewhere", func(s *corev1.Secret) { s.StringData["host"] = "example.org" }),
			want:  "False ReferenceInvalid: .*Secret elsewhere.*", stall: true,
		},
		"with a user and no password": {
			given: login("half", func(s *corev1.Secret) {
				s.StringData = map[string]string{"username": password, "host": "example.com"}
			}),
			want: "False ReferenceInvalid: .*Secret half: .*password", stall: true,
		},
		"with a certificate that is none": {
			given: login("no-certificate", func(s *corev1.Secret) {
				s.StringData = map[string]string{"tls.crt": password, "tls.key": password, "host": "example.com"}
			}),
			want: "False ReferenceInvalid: .*Secret no-certificate: ", stall: true,
		},
		"with values that are no mapping": {
			given: func(s *scenario) v1alpha1.Source {
				s.create(s.newSecret("values", map[string]string{"values.yaml": "[" + password + "]"}))
				return chartWith(nil, func(src *v1alpha1.HelmSource) {
					src.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "Secret", Name: "values"}}
				})(s)
			},
			want: "False .*: .*Secret values key values.yaml", stall: true,
		},
		"with values, that is a kubeconfig": {
			given: func(s *scenario) v1alpha1.Source {
				secret := s.newSecret("values-kubeconfig", map[string]string{"value": password})
				secret.Type = "cluster.x-k8s.io/secret"
				s.create(secret)
				return chartWith(nil, func(src *v1alpha1.HelmSource) {
					src.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "Secret", Name: secret.Name, Key: "value"}}
				})(s)
			},
			want: "False ReferenceInvalid: .*Secret values-kubeconfig: it is of the type", stall: true,
		},
	}
}
