package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// modulePath is the first line of the go.mod at the root of the repository.
const modulePath = "module github.com/cluster-bundle/cluster-api-addon-provider-bundle"

// assetsVariable names the folder of the programs, as setup-envtest has it.
const assetsVariable = "KUBEBUILDER_ASSETS"

// repositoryRoot returns the folder of the main module: the nearest one above
// the working directory whose go.mod is ours. The modules below hack and e2e
// are passed by.
var repositoryRoot = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return findRepository(dir)
})

func findRepository(start string) (string, error) {
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if hasLine(mod, modulePath) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder above %s holds the repository's go.mod", start)
		}
	}
}

func hasLine(text []byte, want string) bool {
	for line := range bytes.Lines(text) {
		if string(bytes.TrimSpace(line)) == want {
			return true
		}
	}
	return false
}

// binary returns the path of a program: from KUBEBUILDER_ASSETS if it is there,
// else from the repository's bin.
func binary(name string) (string, error) {
	var looked []string
	if assets := os.Getenv(assetsVariable); assets != "" {
		looked = append(looked, assets)
	}
	if root, err := repositoryRoot(); err == nil {
		looked = append(looked, filepath.Join(root, "bin"))
	}
	return findBinary(name, looked)
}

func findBinary(name string, folders []string) (string, error) {
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in [%s]: run \"make controlplane\"", name, strings.Join(folders, " "))
}

// moduleDir returns the folder in the module cache of a module that the go.mod
// in the given folder of the repository requires.
func moduleDir(ctx context.Context, module string, folder ...string) (string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = filepath.Join(append([]string{root}, folder...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("module %s: go list in %s: %w: %s", module, cmd.Dir, err, bytes.TrimSpace(stderr.Bytes()))
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("module %s is not in the module cache: run \"go mod download\" in %s", module, cmd.Dir)
	}
	return dir, nil
}
