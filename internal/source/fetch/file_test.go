package fetch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestOpenFileReadsWhatIsBelowTheBundleDirectory(t *testing.T) {
	t.Parallel()
	s := sources(t, Config{BundleDir: bundleDir(t), Settings: Settings{MaxBytes: 8}})
	for _, path := range []string{"calico/operator.yaml", "calico/../calico/operator.yaml", "link.yaml"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			body, err := s.Open(t.Context(), file(path))
			wantBody(t, body, err, "operator")
		})
	}
}

func TestOpenFileReportsWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := bundleDir(t)
	tests := map[string]struct {
		givenPath  string
		givenMax   int64
		wantClass  fault.Class
		wantReason string
		wantText   string
	}{
		"a file that is missing": {
			givenPath: "calico/none.yaml", wantReason: v1alpha1.FetchFailedReason,
			wantText: "not found in the bundle directory " + dir + " (flag --bundle-dir)",
		},
		"a file below a file": {
			givenPath: "calico/operator.yaml/x", wantReason: v1alpha1.FetchFailedReason,
			wantText: "not a directory",
		},
		"a directory": {
			givenPath: "calico", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "not a regular file",
		},
		"a named pipe that nobody writes to": {
			givenPath: "pipe", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "not a regular file",
		},
		"a link that leaves the directory": {
			givenPath: "escape.yaml", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "leads out of the bundle directory",
		},
		"a link to a directory outside": {
			givenPath: "outside/secret.yaml", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "leads out of the bundle directory",
		},
		"a path that climbs": {
			givenPath: "../secret.yaml", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "leads out of the bundle directory",
		},
		"an absolute path": {
			givenPath: "/etc/passwd", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "leads out of the bundle directory",
		},
		"an empty path": {
			givenPath: "", wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantText: "leads out of the bundle directory",
		},
		"a name that is too long": {
			givenPath: strings.Repeat("x", 300), wantReason: v1alpha1.FetchFailedReason,
			wantText: "file name too long",
		},
		"a link to itself": {
			givenPath: "loop", wantReason: v1alpha1.FetchFailedReason,
			wantText: "too many levels of symbolic links",
		},
		"a file that is one byte over the limit": {
			givenPath: "calico/operator.yaml", givenMax: 7,
			wantClass: fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "8 bytes are more than the limit of 7 bytes",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sources(t, Config{BundleDir: dir, Settings: Settings{MaxBytes: tc.givenMax}})
			err := readAll(t.Context(), s, file(tc.givenPath))
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, tc.givenPath, tc.wantText)
		})
	}
}

func TestOpenFileNeedsABundleDirectory(t *testing.T) {
	t.Parallel()
	err := readAll(t.Context(), sources(t, Config{}), file("a.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "a.yaml", "no bundle directory", "--bundle-dir")

	missing := filepath.Join(t.TempDir(), "none")
	err = readAll(t.Context(), sources(t, Config{BundleDir: missing}), file("a.yaml"))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "a.yaml", missing, "--bundle-dir")
}

func TestAFileThatGrowsStaysWithinTheLimit(t *testing.T) {
	t.Parallel()
	dir := bundleDir(t)
	body, err := sources(t, Config{BundleDir: dir, Settings: Settings{MaxBytes: 8}}).Open(t.Context(), file("calico/operator.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	write(t, filepath.Join(dir, "calico", "operator.yaml"), "operators")
	_, err = body.Read(make([]byte, 100))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "calico/operator.yaml", "limit of 8 bytes")
}

// bundleDir returns a bundle directory with a file, and with what tries to leave it.
func bundleDir(t *testing.T) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "bundles")
	if err := os.MkdirAll(filepath.Join(dir, "calico"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(parent, "secret.yaml"), "secret")
	write(t, filepath.Join(dir, "calico", "operator.yaml"), "operator")
	links := map[string]string{
		"link.yaml":   "calico/operator.yaml",
		"escape.yaml": "../secret.yaml",
		"outside":     parent,
		"loop":        "loop",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
