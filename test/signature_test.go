package test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// put publishes an artifact under its digest and a tag.
func (r *ociRegistry) put(name string, a ocitest.Artifact, tag string) {
	r.s.t.Helper()
	for _, d := range slices.Sorted(maps.Keys(a.Blobs)) {
		r.send(http.MethodPost, name+"/blobs/uploads/?digest="+d.String(), "application/octet-stream", a.Blobs[d])
	}
	r.send(http.MethodPut, name+"/manifests/"+a.Digest().String(), a.MediaType, a.Manifest)
	r.send(http.MethodPut, name+"/manifests/"+tag, a.MediaType, a.Manifest)
}

func (r *ociRegistry) send(method, path, mediaType string, content []byte) {
	r.s.t.Helper()
	req, err := http.NewRequestWithContext(r.s.t.Context(), method, r.URL+"/v2/"+path, bytes.NewReader(content))
	r.s.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.Client().Do(req)
	r.s.Expect(err).NotTo(HaveOccurred())
	r.s.Expect(resp.Body.Close()).To(Succeed())
	r.s.Expect(resp.StatusCode).To(Equal(http.StatusCreated))
}

// signSimple signs as cosign 1 and 2 do.
func (r *ociRegistry) signSimple(name string, d digest.Digest, key signaturetest.Key) {
	r.s.t.Helper()
	r.put(name, key.Simple(r.s.t, d), signaturetest.SimpleTag(d))
}

// signBundle signs as cosign 3 does in a registry without the referrers API.
func (r *ociRegistry) signBundle(name string, d digest.Digest, key signaturetest.Key) {
	r.s.t.Helper()
	signed := key.Bundle(r.s.t, d)
	r.put(name, signed, "any")
	r.put(name, signaturetest.List(r.s.t, signed), signaturetest.ListTag(d))
}

// publicKey is a Secret with a public key.
func (s *scenario) publicKey(name string, key signaturetest.Key) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Data:       map[string][]byte{"cosign.pub": key.PEM()},
	}
}

// signedBy is the policy of the Secret with the name.
func signedBy(name string) *v1alpha1.Verify {
	return &v1alpha1.Verify{SecretRef: v1alpha1.LocalReference{Name: name}}
}

// verifiedBundle makes a Bundle whose sources have to be signed.
func (s *scenario) verifiedBundle(name string, v *v1alpha1.Verify, releases ...v1alpha1.Release) *v1alpha1.Bundle {
	s.t.Helper()
	b := &v1alpha1.Bundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec:       v1alpha1.BundleSpec{Releases: releases, Verify: v},
	}
	s.create(b)
	return b
}

func TestWhatIsSignedReachesReadyAndSaysByWhom(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	r := newRegistry(s)
	ours, theirs := signaturetest.NewKey(t), signaturetest.NewKey(t)
	workload := testenv.SharedWorkload(t)
	d := r.push("signed/own", "v1", layer{yamlLayer, "", good(s)})
	r.signSimple("signed/own", d, theirs)
	r.signBundle("charts/agent", r.push("charts/agent", "1.2.3", layer{chartLayer, "", s.helmChart(nil)}), ours)
	s.create(s.publicKey("theirs", theirs))
	bundle := s.verifiedBundle("signed", signedBy("ours"), release("1.0.0",
		phase("own", r.source("signed/own", func(src *v1alpha1.OCISource) {
			src.Tag, src.Verify = "v1", signedBy("theirs")
		})),
		phase("chart", s.helmSource("oci://"+r.repository("charts/agent"), func(src *v1alpha1.HelmSource) {
			src.Values.Raw = []byte(`{"name":"` + s.namespace + `-chart"}`)
		})),
	))
	s.set("signed")
	s.cluster("gent", "signed", workload)
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(
		"False ReferenceNotFound: .*charts/agent.*verify: Secret ours: it does not exist"))

	// The key is created late, and the fetch continues without help.
	key := s.publicKey("ours", ours)
	s.create(key)
	s.Eventually(s.ready("signed-gent")).Should(Equal(isReady))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	s.Expect(bundle.Status.Releases[0].VerifiedBy).To(ConsistOf(ours.Name(), theirs.Name()))

	// A key that is withdrawn counts no more, until it is back: nothing that it signed
	// is delivered any more, and what was delivered stays.
	s.change(key, func() { key.Data = s.publicKey("", theirs).Data })
	invalid := "False SignatureInvalid: .*charts/agent@sha256:.*not signed by " + theirs.Name()
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(invalid))
	upToDate := s.state(s.named("signed-gent"), v1alpha1.UpToDateCondition)
	s.Eventually(upToDate).Should(MatchRegexp("False SignatureInvalid: release 1.0.0 stays: .*not signed by " + theirs.Name()))
	s.Expect(s.ready("signed-gent")()).To(Equal(isReady))
	s.change(key, func() { key.Data = s.publicKey("", ours).Data })
	s.Eventually(upToDate).Should(HavePrefix("True"))
	s.Expect(s.ready("signed-gent")()).To(Equal(isReady))
}

func TestAPolicyThatSaysNothingIsRefusedByTheAPI(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	identities := []v1alpha1.Identity{{Issuer: "https://accounts.example.com", Subject: "release@example.com"}}
	root := v1alpha1.LocalReference{Name: "sigstore"}
	tests := map[string]struct {
		given *v1alpha1.Verify
		want  string
	}{
		"nothing":                       {&v1alpha1.Verify{}, "exactly one of the fields in .secretRef identities."},
		"a key and identities":          {&v1alpha1.Verify{SecretRef: root, Identities: identities, TrustedRootRef: root}, "exactly one"},
		"identities that nobody proves": {&v1alpha1.Verify{Identities: identities}, "trustedRootRef goes with identities"},
		"a trusted root of a key":       {&v1alpha1.Verify{SecretRef: root, TrustedRootRef: root}, "trustedRootRef goes with identities"},
		"an identity of no length":      {&v1alpha1.Verify{Identities: []v1alpha1.Identity{}, TrustedRootRef: root}, "exactly one"},
	}
	for name, tc := range tests {
		err := s.management.Client.Create(t.Context(), &v1alpha1.Bundle{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "refused"},
			Spec: v1alpha1.BundleSpec{Verify: tc.given, Releases: []v1alpha1.Release{
				release("1.0.0", phase("all", inline(good(s)))),
			}},
		})
		s.Expect(err).To(MatchError(MatchRegexp(tc.want)), name)
	}
}

func TestAManagerCanRequireSignatures(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	operators, tenants := signaturetest.NewKey(t), signaturetest.NewKey(t)
	config := configFile(filepath.Join(t.TempDir(), "config.yaml"))
	config.write(t, testenv.Loopback+fmt.Sprintf("signatures: {required: true, signers: [{keys: %q}]}\n", operators.PEM()))
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Config: string(config), Env: inPod(t, management),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Stop)
	s := scenarioWith(t, management, manager)
	r := newRegistry(s)
	s.create(s.publicKey("own", tenants))
	r.signBundle("app", r.push("app", "v1", layer{yamlLayer, "", good(s)}), operators)
	r.signBundle("hostile", r.push("hostile", "v1", layer{yamlLayer, "", good(s)}), tenants)
	unsigned := s.bundle("download", release("1.0.0", phase("all", s.web.publish("app.yaml", good(s)+"# in no cache\n"))))
	refused := map[string]*v1alpha1.Bundle{
		"SignatureMissing: .*the manager's configuration asks for a signature": s.bundle("inline",
			release("1.0.0", phase("all", inline(good(s))))),
		"SignatureMissing: .*only artifacts of a registry can be signed": unsigned,
		"SignatureInvalid: .*not signed by .* of the manager.s configuration": s.verifiedBundle("own", signedBy("own"),
			release("1.0.0", phase("all", r.source("hostile", tagged("v1"))))),
	}
	for text, bundle := range refused {
		s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False " + text))
	}
	signed := s.bundle("signed", release("1.0.0", phase("all", r.source("app", tagged("v1")))))
	s.Eventually(s.state(signed, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	s.Expect(s.web.downloads()).To(BeEmpty())
	config.changes(s, unsigned)
}
