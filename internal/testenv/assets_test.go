package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindBinary(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(first, "etcd"), "first")
	writeFile(t, filepath.Join(second, "etcd"), "second")
	writeFile(t, filepath.Join(second, "kwok"), "second")
	if err := os.Mkdir(filepath.Join(first, "kwok"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		givenFolders []string
		givenName    string
		want         string
		wantErr      []string
	}{
		"the first folder that has it": {
			givenFolders: []string{first, second}, givenName: "etcd", want: filepath.Join(first, "etcd"),
		},
		"a folder of that name is not a program": {
			givenFolders: []string{first, second}, givenName: "kwok", want: filepath.Join(second, "kwok"),
		},
		"a missing program says where it was looked for and what makes it": {
			givenFolders: []string{first, second}, givenName: "capi-core",
			wantErr: []string{"capi-core", first, second, `run "make controlplane"`},
		},
		"no folder at all": {givenName: "etcd", wantErr: []string{"etcd", "make controlplane"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := findBinary(tc.givenName, tc.givenFolders)
			checkError(t, err, tc.wantErr)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBinaryPrefersTheAssets(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "etcd"), "")
	t.Setenv(assetsVariable, dir)
	if got, err := binary("etcd"); err != nil || got != filepath.Join(dir, "etcd") {
		t.Errorf("etcd: got %q, %v", got, err)
	}
	// What the assets lack is in the repository.
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := binary("kwok"); err != nil || got != filepath.Join(root, "bin", "kwok") {
		t.Errorf("kwok: got %q, %v", got, err)
	}
}

func TestFindRepository(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "go.mod"), "// Comment.\n"+modulePath+"\n\ngo 1.26.0\n")
	writeFile(t, filepath.Join(root, "e2e", "go.mod"), modulePath+"/e2e\n")
	got, err := findRepository(filepath.Join(root, "e2e", "demo"))
	if err != nil || got != root {
		t.Errorf("from a module below: got %q, %v, want %q", got, err, root)
	}
	elsewhere := t.TempDir()
	_, err = findRepository(elsewhere)
	checkError(t, err, []string{elsewhere, "go.mod"})
}

func TestModuleDir(t *testing.T) {
	t.Parallel()
	dir, err := moduleDir(t.Context(), "sigs.k8s.io/kwok", "hack", "controlplane")
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		if _, err := os.Stat(filepath.Join(dir, "kustomize", "stage", stage)); err != nil {
			t.Error(err)
		}
	}
	_, err = moduleDir(t.Context(), "example.com/unknown")
	checkError(t, err, []string{"example.com/unknown"})
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkError checks that err holds all the words, or is nil if there are none.
func checkError(t *testing.T, err error, words []string) {
	t.Helper()
	if len(words) == 0 {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not hold %q", err, word)
		}
	}
}
