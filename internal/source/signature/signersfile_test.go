//go:build !no_sigstore

package signature_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// folder is a directory with a file of signers, signers.yaml, and what it names.
type folder struct {
	*testing.T
	path string
	now  time.Time
}

func (f *folder) write(name, content string) {
	f.Helper()
	path := filepath.Join(f.path, name)
	f.now = f.now.Add(time.Second)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.Fatal(err)
	}
	if err := os.Chtimes(path, f.now, f.now); err != nil {
		f.Fatal(err)
	}
}

func (f *folder) open() (*signature.SignersFile, error) {
	return signature.OpenSignersFile(filepath.Join(f.path, "signers.yaml"), func() time.Time { return f.now })
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	return &folder{t, t.TempDir(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func quoted(text []byte) string { return strconv.Quote(string(text)) }

func TestWhomAFileOfSignersTrustsWithWhat(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("a.pub", string(newSigner(t).pem(t)))
	f.write("root.json", string(newInstance(t).trustedRoot(t, same)))
	f.write("signers.yaml", `
signers:
- keyFiles: [a.pub]
  keys: `+quoted(newSigner(t).pem(t))+`
- repositories: [ghcr.io/example, localhost:5000]
  namespaces: [team-a, team-b]
  keyFiles: [`+filepath.Join(f.path, "a.pub")+`]
- namespaces: [team-a]
  identities: [{issuer: https://accounts.example.com, subjectRegExp: ".*@example.com"}]
  trustedRootFile: root.json
`)
	file, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	signers, err := file.Signers()
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[[2]string]int{
		{"other", "ghcr.io/example/app"}:     1,
		{"team-a", "docker.io/app"}:          2,
		{"team-a", "ghcr.io/example/app"}:    3,
		{"team-b", "ghcr.io/example"}:        2,
		{"team-b", "localhost:5000/x/y"}:     2,
		{"team-b", "ghcr.io/example2/app"}:   1,
		{"team-b", "ghcr.io"}:                1,
		{"team-b", "x/ghcr.io/example/app"}:  1,
		{"team-", "GHCR.io/example/app"}:     1,
		{"team-b", "localhost:50001/app"}:    1,
		{"team-b", "ghcr.io/example/../app"}: 2,
	} {
		got := signers.For(given[0], given[1])
		if len(got) != want {
			t.Errorf("want %d policies for %v, got %d", want, given, len(got))
		}
		if _, err := signature.NewVerifier(got...); err != nil {
			t.Error(err)
		}
	}
}

func TestFilesOfSignersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	key := quoted(newSigner(t).pem(t))
	tests := map[string]struct{ given, want string }{
		"nothing":                           {"", "0 signers are not 1 to 64"},
		"no signer":                         {"signers: []", "0 signers are not 1 to 64"},
		"too many signers":                  {"signers: [" + strings.Repeat("{keys: "+key+"},", 65) + "]", "65 signers"},
		"what is no YAML":                   {"hunter2: [", "is not YAML of the form"},
		"an unknown field":                  {"signers: [{keys: " + key + ", hunter2: a}]", "is not YAML of the form"},
		"nobody":                            {"signers: [{namespaces: [a]}]", "signers[0]: a policy needs a key or identities"},
		"keys that are none":                {"signers: [{keys: " + key + "},{keys: hunter2}]", "signers[1]: public key of --trusted-signers signers[1]: holds no PEM"},
		"a key file that is not there":      {"signers: [{keyFiles: [missing.pub]}]", "missing.pub: no such file"},
		"more key files than are read":      {"signers: [{keyFiles: [" + strings.Repeat("a,", 17) + "]}]", "keyFiles: 17 are more than the limit of 16"},
		"identities without a trusted root": {"signers: [{identities: [{issuer: a, subject: b}]}]", "trusted root of --trusted-signers signers[0]: is required"},
		"an identity of anybody":            {"signers: [{identities: [{issuer: a}], trustedRootFile: root.json}]", "identity 1: needs either subject or"},
		"a repository with a scheme":        {"signers: [{repositories: [oci://ghcr.io], keys: " + key + "}]", "not of the form host or host/path"},
		"a repository of no length":         {"signers: [{repositories: [''], keys: " + key + "}]", "not of the form host or host/path"},
		"a file that is too large":          {"#" + strings.Repeat(" ", 1<<20), "larger than 1048576 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			f.write("root.json", "{}")
			f.write("signers.yaml", test.given)
			_, err := f.open()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("want an error with %q, got %v", test.want, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	if _, err := newFolder(t).open(); err == nil {
		t.Error("want a file that is not there to be an error")
	}
}

func TestAFileOfSignersIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("a.pub", string(newSigner(t).pem(t)))
	f.write("signers.yaml", "signers: [{keyFiles: [a.pub]}]")
	file, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	first := file.Version()
	if _, err := os.Stat(f.path); err != nil || first == "" {
		t.Fatal(first, err)
	}

	f.now = f.now.Add(time.Hour)
	if got := file.Version(); got != first {
		t.Errorf("want %s while nothing changes, got %s", first, got)
	}
	f.write("a.pub", string(newSigner(t).pem(t)))
	second := file.Version()
	if second == first {
		t.Error("want a key file that changed to be seen")
	}
	f.write("signers.yaml", "signers: [{keyFiles: [a.pub], namespaces: [team-a]}]")
	third := file.Version()
	if third == second {
		t.Error("want the file that changed to be seen")
	}
	f.write("signers.yaml", "signers: []")
	if signers, err := file.Signers(); err == nil || signers != nil {
		t.Errorf("want nobody trusted by a wrong file, got %v, %v", signers, err)
	}
	if got := file.Version(); got != third {
		t.Errorf("want a mistake to withdraw nothing, got %s", got)
	}
	f.write("signers.yaml", "signers: [{keyFiles: [a.pub], namespaces: [team-a]}]")
	if signers, err := file.Signers(); err != nil || len(signers.For("team-a", "a/b")) != 1 || file.Version() != third {
		t.Errorf("want it used once it is mended, got %v, %v", signers, err)
	}
}
