package configuration

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

const header = "apiVersion: config.addons.cluster.x-k8s.io/v1alpha1\nkind: ManagerConfiguration\n"

// wantSettings fails unless the settings are equal, but for the signers.
func wantSettings(t *testing.T, want, got Settings) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(&signature.Signers{}), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestAFileThatSaysNothingHasTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := Read([]byte(header))
	if err != nil {
		t.Fatal(err)
	}
	wantSettings(t, Defaults(), got)
	if got.Signers != nil {
		t.Error("want nobody required to sign")
	}
}

func TestAFileSaysEverything(t *testing.T) {
	t.Parallel()
	key := fmt.Sprintf("%q", signaturetest.NewKey(t).PEM())
	got, err := Read([]byte(header + `
addresses: {denied: [10.0.0.0/8, "fd00::/8"], allowed: [127.0.0.0/8], tokenServers: [10.1.0.0/16]}
registries: {mirrors: [{prefix: ghcr.io, endpoints: [https://mirror.example/ghcr]}]}
signatures: {required: true, signers: [{repositories: [ghcr.io/example], namespaces: [team-a], keys: ` + key + `}]}
secretTypes: {servers: [example.com/login], values: [], publicKeys: [Opaque, example.com/key]}
limits: {bundleSize: 1Gi, compressionRatio: 100, objects: 20000}
concurrency:
  resolving: {total: 1, perNamespace: 2}
  downloading: {total: 3, perNamespace: 4}
  indexing: {total: 5, perNamespace: 6}
  rendering: 7
`))
	if err != nil {
		t.Fatal(err)
	}
	wantSettings(t, Settings{
		Denied:       []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Allowed:      []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		TokenServers: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		Mirrors:      []oci.Mirror{{Prefix: "ghcr.io", Endpoints: []string{"https://mirror.example/ghcr"}}},
		SecretTypes: source.SecretTypes{
			Servers: []corev1.SecretType{"example.com/login"}, PublicKeys: []corev1.SecretType{"Opaque", "example.com/key"},
		},
		BundleBytes: 1 << 30, CompressionRatio: 100, Objects: 20_000,
		Concurrency: library.Concurrency{
			Resolving: library.Share{All: 1, Each: 2}, Downloading: library.Share{All: 3, Each: 4}, Indexing: library.Share{All: 5, Each: 6},
		},
		Rendering: 7,
	}, got)
	if len(got.Signers.For("team-a", "ghcr.io/example/app")) != 1 || len(got.Signers.For("team-b", "ghcr.io/example/app")) != 0 {
		t.Error("want one signer for what it is for")
	}
}

func TestTheSampleIsOneThatIsTaken(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../../config/samples/configuration/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(content); err != nil {
		t.Error(err)
	}
}

func TestAFileIsCheckedWhole(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"nothing":                     {" \n", "the file is empty"},
		"no kind":                     {"limits: {}\nhunter2: a", "it needs apiVersion: config.addons.cluster.x-k8s.io/v1alpha1 and kind"},
		"no version":                  {"kind: ManagerConfiguration\nhunter2: a", "it needs apiVersion"},
		"another kind":                {"apiVersion: config.addons.cluster.x-k8s.io/v1alpha1\nkind: Configuration", "Configuration"},
		"another version":             {"apiVersion: config.addons.cluster.x-k8s.io/v1\nkind: ManagerConfiguration", "v1"},
		"what is no YAML":             {header + "{", "yaml"},
		"an unknown field":            {header + "limit: {}", `unknown field "limit"`},
		"an unknown inner field":      {header + "limits: {hunter: 1}", `unknown field "limits.hunter"`},
		"a field in another case":     {header + "Limits: {}", `unknown field "Limits"`},
		"a field twice":               {header + "limits: {}\nlimits: {}", "already set"},
		"two documents":               {header + "---\n" + header, "more than one document"},
		"a file that is too large":    {header + strings.Repeat("#", 1<<20), "larger than 1048576 bytes"},
		"an address":                  {header + "addresses: {denied: [10.0.0.0/8, 10.0.0.1]}", `addresses.denied[1]: "10.0.0.1" is not of the form`},
		"too many addresses":          {header + "addresses: {allowed: [" + strings.Repeat("a,", 257) + "]}", "addresses.allowed: 257 are more than 256"},
		"a mirror of nothing":         {header + "registries: {mirrors: [{prefix: a}]}", "registries: mirrors[0]: 0 endpoints"},
		"a login in a mirror":         {header + "registries: {mirrors: [{prefix: a, endpoints: ['https://u:hunter2@b']}]}", "endpoints[0]: not a host"},
		"signatures of nobody":        {header + "signatures: {required: true}", "signatures: 0 signers are not 1 to 64"},
		"signers whom nobody needs":   {header + "signatures: {signers: [{keys: hunter2}]}", "signatures: signers go with required: true"},
		"a key that is none":          {header + "signatures: {required: true, signers: [{keys: hunter2}]}", "signatures: signers[0]: "},
		"a type of Secrets not to be": {header + "secretTypes: {values: [kubernetes.io/service-account-token]}", "service-account-token"},
		"a size of nothing":           {header + "limits: {bundleSize: 0}", "limits.bundleSize: 0 is not 1 to"},
		"a size that is none":         {header + "limits: {bundleSize: many}", "quantit"},
		"a size beyond any disk":      {header + "limits: {bundleSize: 100E}", "limits.bundleSize"},
		"a number that is none":       {header + "limits: {objects: many}", "objects"},
		"a number that is negative":   {header + "limits: {compressionRatio: -1}", "limits.compressionRatio: -1 is not 1 to"},
		"nothing at once":             {header + "concurrency: {indexing: {total: 0}}", "concurrency.indexing.total: 0 is not 1 to 1024"},
		"too much at once":            {header + "concurrency: {rendering: 17}", "concurrency.rendering: 17 is not 1 to 16"},
		"several faults": {
			header + "limits: {objects: 0}\nconcurrency: {rendering: 0}", "limits.objects: 0 is not 1 to 1048576 concurrency.rendering: 0",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Read([]byte(tc.given))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("want an error with %q, got %v", tc.want, err)
			}
			if text := err.Error(); strings.Contains(text, "hunter2") || len(text) > maxMessage || strings.Contains(text, "\n") {
				t.Errorf("want one short line without what is secret, got %q", text)
			}
			wantSettings(t, Settings{}, got)
		})
	}
}
