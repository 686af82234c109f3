//go:build !no_helm

package helm_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// varies calls every function that varies, and those that read what it makes.
const varies = `
{{- $ca := genCA "ca" 365 }}
{{- $again := buildCustomCert ($ca.Cert | b64enc) ($ca.Key | b64enc) }}
{{- $own := genSelfSignedCert "own" (list "10.0.0.1") (list "own.example.com") 365 }}
{{- $signed := genSignedCert "web" nil (list "web.example.com") 365 $again }}
{{- $key := genPrivateKey "ecdsa" }}
cert: {{ $signed.Cert | quote }}
key: {{ $signed.Key | quote }}
own: {{ $own.Cert | quote }}
caKeyed: {{ (genCAWithKey "ca" 365 $key).Cert | quote }}
ownKeyed: {{ (genSelfSignedCertWithKey "own" nil nil 365 $key).Cert | quote }}
signedKeyed: {{ (genSignedCertWithKey "web" nil nil 365 $ca $key).Cert | quote }}
first: {{ randAlphaNum 16 | quote }}
second: {{ randAlphaNum 16 | quote }}
alpha: {{ randAlpha 8 | quote }}
ascii: {{ randAscii 8 | quote }}
bytes: {{ randBytes 8 | quote }}
numeric: {{ randNumeric 8 | quote }}
int: {{ randInt 10 20 }}
uuid: {{ uuidv4 | quote }}
year: {{ now | date "2006" | quote }}
today: {{ dateInZone "2006" "no date" "UTC" | quote }}
ago: {{ ago now | quote }}
shuffle: {{ shuffle "abc" | quote }}
bcrypt: {{ bcrypt "x" | quote }}
htpasswd: {{ htpasswd "user" "x" | quote }}
sealed: {{ encryptAES "word" "plain" | quote }}
opened: {{ encryptAES "word" "plain" | decryptAES "word" | quote }}
found: {{ lookup "v1" "Secret" "shop" "web" | toJson | quote }}
`

// varied renders varies.
func varied(t *testing.T, random helm.Random) map[string]any {
	t.Helper()
	opts := options(nil)
	opts.Random = random
	output, err := render(t, files{"templates/x.yaml": varies}.with(nil), opts)
	if err != nil {
		t.Fatal(err)
	}
	var made map[string]any
	if err := yaml.Unmarshal([]byte(output), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

func TestWhatVariesHasTheFormOfHelms(t *testing.T) {
	t.Parallel()
	lengths := map[string]int{
		"first": 16, "second": 16, "alpha": 8, "ascii": 8, "bytes": 12, "numeric": 8, "uuid": 36, "year": 4, "today": 4,
		"shuffle": 3, "bcrypt": 60, "htpasswd": 65, "sealed": 44, "ago": 2,
	}
	for name, random := range map[string]helm.Random{"true": helm.TrueRandom, "placeholders": helm.PlaceholderRandom} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := varied(t, random)
			for key, want := range lengths {
				if text, _ := made[key].(string); len(text) != want {
					t.Errorf("%s: want %d characters, got %q", key, want, made[key])
				}
			}
			cert, _ := made["cert"].(string)
			key, _ := made["key"].(string)
			if _, err := tls.X509KeyPair([]byte(cert), []byte(key)); err != nil {
				t.Errorf("want a certificate with its key: %v", err)
			}
			if n, _ := made["int"].(float64); n < 10 || n >= 20 {
				t.Errorf("want a number from 10 to 19, got %v", made["int"])
			}
			if made["opened"] != "plain" || made["found"] != "{}" || made["first"] == made["second"] {
				t.Errorf("got opened %q, found %q, first %q, second %q",
					made["opened"], made["found"], made["first"], made["second"])
			}
		})
	}
}

func TestPlaceholdersAreTheSameInEveryRenderingAndTrueRandomIsNot(t *testing.T) {
	t.Parallel()
	placeholders, again := varied(t, helm.PlaceholderRandom), varied(t, helm.PlaceholderRandom)
	first, second := varied(t, helm.TrueRandom), varied(t, helm.TrueRandom)
	for key := range placeholders {
		if placeholders[key] != again[key] {
			t.Errorf("%s: want the same placeholder, got %q and %q", key, placeholders[key], again[key])
		}
	}
	for _, key := range []string{"cert", "key", "own", "first", "bytes", "uuid", "bcrypt", "sealed"} {
		if first[key] == second[key] || first[key] == placeholders[key] {
			t.Errorf("%s: want other bytes each time, got %q, %q and the placeholder %q", key, first[key], second[key], placeholders[key])
		}
	}
}

func TestTheMessageOfAFunctionThatVariesNamesTheWayOut(t *testing.T) {
	t.Parallel()
	for _, call := range []string{`{{ uuidv4 }}`, `{{ date "2006" "x" }}`} {
		_, err := render(t, files{"templates/x.yaml": call}.with(nil), options(nil))
		wantTerminal(t, err, v1alpha1.ChartInvalidReason, "randomFunctions: PerCluster")
	}
}

func TestARenderingForAClusterIsMadeAnewForItsOwnInputOnly(t *testing.T) {
	t.Parallel()
	chart := digest.FromString("chart")
	identity := func(of digest.Digest, change func(*helm.Options)) string {
		opts := options(map[string]any{"a": 1})
		change(&opts)
		got, err := helm.ClusterIdentity(of, opts)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := identity(chart, func(*helm.Options) {})
	// It is in the names of Secrets that were made: it may not change with this program.
	const kept = "sha256:dc5d2ff0ad0999a4caad5e8f49699229b62a639e5b92604b5aca9f117d1ebe0f"
	if before != kept {
		t.Errorf("want %s for ever, got %s", kept, before)
	}
	if got := identity(chart, func(o *helm.Options) { o.KubeVersion = "v1.37" }); got != before {
		t.Error("another minor version of Kubernetes would make other certificates")
	}
	for name, got := range map[string]string{
		"chart":        identity(digest.FromString("other"), func(*helm.Options) {}),
		"release":      identity(chart, func(o *helm.Options) { o.ReleaseName = "b" }),
		"namespace":    identity(chart, func(o *helm.Options) { o.Namespace = "b" }),
		"values":       identity(chart, func(o *helm.Options) { o.Values = asJSON(map[string]any{"a": 2}) }),
		"CRDs":         identity(chart, func(o *helm.Options) { o.IncludeCRDs = false }),
		"hooks":        identity(chart, func(o *helm.Options) { o.Hooks = v1alpha1.RefuseHooks }),
		"API versions": identity(chart, func(o *helm.Options) { o.APIVersions = []string{"example.com/v1"} }),
	} {
		if got == before {
			t.Errorf("another %s is another rendering", name)
		}
	}
	if _, err := helm.ClusterIdentity(chart, helm.Options{Values: []byte(`{"a": hunter2`)}); err == nil ||
		strings.Contains(err.Error(), "hunter2") || errors.Unwrap(err) == nil {
		t.Errorf("want an error about the values, got %v", err)
	}
}
