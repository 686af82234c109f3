package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestReleaseRefusesWhatClusterctlWould(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ given, want string }{
		"a version without a release series": {"VERSION=v0.9.0", "has no release series in metadata.yaml"},
		"the start of a number of a series":  {"VERSION=v0.12.0", "has no release series in metadata.yaml"},
		"a version of another form":          {"VERSION=0.1.0", "is not vX.Y.Z"},
		"a digest of another form":           {"DIGEST=sha512:00", "is not sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := release(t, t.TempDir(), tc.given)
			if err == nil || !strings.Contains(out, tc.want) {
				t.Errorf("want %q, got %v: %s", tc.want, err, out)
			}
		})
	}
}

// TestWhatKubectlInstallsHasNoVariables compares the file for kubectl with the one for clusterctl.
func TestWhatKubectlInstallsHasNoVariables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := release(t, dir); err != nil {
		t.Fatal(out)
	}
	folder := filepath.Join(dir, provider, "v0.1.0-dev")
	install, err := os.ReadFile(filepath.Join(folder, "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(install), "${") {
		t.Error("a variable of clusterctl is left")
	}
	for _, want := range []string{
		"- --diagnostics-address=:8443\n", "- --insecure-diagnostics=false\n",
		"image: ghcr.io/cluster-bundle/cluster-api-addon-provider-bundle:v0.1.0-dev\n",
	} {
		if !strings.Contains(string(install), want) {
			t.Errorf("want %q", want)
		}
	}
}

// release runs "make release" into a folder, with the kustomize that is there, and
// returns what it printed.
func release(t *testing.T, out string, variables ...string) (string, error) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	kustomize := filepath.Join(root, "bin", "kustomize")
	if _, err := os.Stat(kustomize); err != nil {
		t.Skip("bin/kustomize is missing: make test builds it")
	}
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"--assume-old=" + kustomize, "release", "OUT=" + out}, variables...)...)
	cmd.Dir = root
	printed, err := cmd.CombinedOutput()
	return string(printed), err
}
