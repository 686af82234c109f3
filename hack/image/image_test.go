package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	wantVersion = "v9.8.7-test"
	wantUser    = "65532:65532"

	// wantMissing is in the manager's log when an API server lacks the CRDs,
	// after it has opened its cache directory.
	wantMissing = "no matches for kind"

	buildTimeout = 15 * time.Minute
	runTimeout   = time.Minute
)

// kubeconfig has the address of an API server in the place of %s.
const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: only, cluster: {server: %q}}]
contexts: [{name: only, context: {cluster: only, user: ""}}]
current-context: only
`

func TestImage(t *testing.T) {
	b := newBuildah(t)
	image := b.build(t, b.base(t))

	t.Run("it holds the manager, the certificates and the cache directory only", func(t *testing.T) {
		want := []string{"etc/ssl/certs/ca-certificates.crt", "manager", "var/cache/caapb/"}
		if diff := cmp.Diff(want, b.leaves(t, image)); diff != "" {
			t.Errorf("content of the image (-want +got):\n%s", diff)
		}
	})
	t.Run("it runs as a user that is not root", func(t *testing.T) {
		if got := b.config(t, image).User; got != wantUser {
			t.Errorf("user = %q, want %q", got, wantUser)
		}
	})
	t.Run("its cache directory is a volume", func(t *testing.T) {
		if _, ok := b.config(t, image).Volumes["/var/cache/caapb"]; !ok {
			t.Errorf("volumes = %v, want /var/cache/caapb", b.config(t, image).Volumes)
		}
	})
	t.Run("its entry point prints the version", func(t *testing.T) {
		if diff := cmp.Diff([]string{"/manager"}, b.config(t, image).Entrypoint); diff != "" {
			t.Fatalf("entry point (-want +got):\n%s", diff)
		}
		out, err := b.start(t, image, "--version")
		if err != nil || strings.TrimSpace(out) != wantVersion {
			t.Errorf("manager --version = %q, %v; want %s", out, err, wantVersion)
		}
	})
	t.Run("its cache directory is the user's", func(t *testing.T) {
		found, err := os.Stat(filepath.Join(b.mount(t, image), "var/cache/caapb"))
		if err != nil {
			t.Fatal(err)
		}
		if owner := found.Sys().(*syscall.Stat_t).Uid; owner != 65532 || found.Mode().Perm()&0o700 != 0o700 {
			t.Errorf("owner %d, mode %v; want 65532 and that it can write", owner, found.Mode())
		}
	})
	t.Run("the manager can write its cache directory", func(t *testing.T) {
		out, err := b.start(t, image)
		if err == nil || !strings.Contains(out, wantMissing) {
			t.Errorf("manager = %v, want it to get as far as %q:\n%s", err, wantMissing, out)
		}
	})
	t.Run("the manager cannot write another directory", func(t *testing.T) {
		out, err := b.start(t, image, "--cache-dir=/elsewhere")
		if err == nil || !strings.Contains(out, "/elsewhere") || strings.Contains(out, wantMissing) {
			t.Errorf("manager --cache-dir=/elsewhere = %v, want that it is not permitted:\n%s", err, out)
		}
	})
}

// buildah runs the program of that name on images of the test's own.
type buildah struct {
	storage string
}

func newBuildah(t *testing.T) *buildah {
	t.Helper()
	if testing.Short() {
		t.Skip("building an image takes long")
	}
	if os.Getuid() != 0 {
		t.Skip("building an image needs root")
	}
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Skip("buildah is missing: apt-get install buildah")
	}
	return &buildah{storage: t.TempDir()}
}

// try runs buildah and returns what it wrote to stdout and stderr.
func (b *buildah) try(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	args = append([]string{
		"--root", filepath.Join(b.storage, "root"), "--runroot", filepath.Join(b.storage, "run"), "--storage-driver", "vfs",
	}, args...)
	cmd := exec.CommandContext(ctx, "buildah", args...)
	cmd.Dir = filepath.Join("..", "..")
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return strings.TrimSpace(out.String()), errOut.String(), err
}

// run is try that must not fail. It returns stdout.
func (b *buildah) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	out, errOut, err := b.try(ctx, args...)
	if err != nil {
		t.Fatalf("buildah %s: %v\n%s\n%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// base makes a builder image of this machine's shell and certificates. The Go
// tool chain is mounted by build: it is large.
func (b *buildah) base(t *testing.T) string {
	t.Helper()
	const name = "localhost/builder"
	c := b.run(t, "from", "scratch")
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, "copy", c, shell, "/bin/sh")
	b.run(t, "copy", c, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	b.run(t, "copy", c, t.TempDir(), "/tmp")
	for _, library := range libraries(t, shell) {
		b.run(t, "copy", c, library, library)
	}
	b.run(t, "config", "--env", "PATH=/usr/local/go/bin:/bin", c)
	for name, value := range goEnv(t, "GOFLAGS", "GOPROXY", "GOSUMDB") {
		b.run(t, "config", "--env", name+"="+value, c)
	}
	b.run(t, "config", "--env", "GOMODCACHE=/go/pkg/mod", "--env", "GOCACHE=/go/build", c)
	b.run(t, "commit", "--quiet", "--rm", c, name)
	return name
}

// build builds the image of the Dockerfile and returns its name.
func (b *buildah) build(t *testing.T, base string) string {
	t.Helper()
	const name = "localhost/image"
	env := goEnv(t, "GOROOT", "GOMODCACHE", "GOCACHE")
	b.run(t, "bud", "--isolation", "chroot", "--pull=never",
		"--build-arg", "BASE="+base, "--build-arg", "VERSION="+wantVersion,
		"--volume", env["GOROOT"]+":/usr/local/go:ro",
		"--volume", env["GOMODCACHE"]+":/go/pkg/mod",
		"--volume", env["GOCACHE"]+":/go/build",
		"--tag", name, ".")
	return name
}

// start runs the image's manager as its user and returns all that it wrote.
func (b *buildah) start(t *testing.T, image string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, fmt.Appendf(nil, kubeconfig, apiServer(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	c := b.run(t, "from", "--pull=never", image)
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	args = append([]string{
		"run", "--isolation", "chroot", "--volume", path + ":/kubeconfig:ro", "--env", "KUBECONFIG=/kubeconfig",
		c, "--", "/manager",
	}, args...)
	out, errOut, err := b.try(ctx, args...)
	return out + errOut, err
}

// leaves returns, sorted, the files and the empty directories of an image.
func (b *buildah) leaves(t *testing.T, image string) []string {
	t.Helper()
	root := b.mount(t, image)
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			found = append(found, path)
			return err
		}
		below, err := os.ReadDir(filepath.Join(root, path))
		if len(below) == 0 {
			found = append(found, path+"/")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// mount returns a folder with the files of an image.
func (b *buildah) mount(t *testing.T, image string) string {
	t.Helper()
	return b.run(t, "mount", b.run(t, "from", "--pull=never", image))
}

// config is how an image is run.
type config struct {
	User       string
	Entrypoint []string
	Volumes    map[string]struct{}
}

func (b *buildah) config(t *testing.T, image string) config {
	t.Helper()
	var inspected struct {
		OCIv1 struct {
			Config config `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(b.run(t, "inspect", "--type", "image", image)), &inspected); err != nil {
		t.Fatal(err)
	}
	return inspected.OCIv1.Config
}

// libraryPath matches the path of a library in the output of ldd.
var libraryPath = regexp.MustCompile(`(?m)(/\S+) \(0x[0-9a-f]+\)$`)

// libraries returns the shared libraries that a program is linked with.
func libraries(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ldd", program).Output()
	if _, static := errors.AsType[*exec.ExitError](err); err != nil && !static {
		t.Fatal(err)
	}
	var found []string
	for _, match := range libraryPath.FindAllStringSubmatch(string(out), -1) {
		found = append(found, match[1])
	}
	return found
}

// goEnv returns values of "go env".
func goEnv(t *testing.T, names ...string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"env", "-json"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	if err := json.Unmarshal(out, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// apiServer starts an API server that serves no kinds but Secrets, and returns
// its address.
func apiServer(t *testing.T) string {
	t.Helper()
	answers := map[string]string{
		"/api":  `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[
			{"name":"secrets","namespaced":true,"kind":"Secret","verbs":["list"]}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
