package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime/debug"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// moduleVersion returns the version of a module that this program is built with.
func moduleVersion(path string) string {
	built, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range built.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "unknown"
}

// programVersion returns the last word of the first line that a program of the control plane
// prints for --version.
func programVersion(name string) string {
	path, err := testenv.Program(name)
	if err != nil {
		return "unknown"
	}
	out, err := exec.Command(path, "--version").Output() //nolint:noctx // It prints a line and ends.
	line, _, _ := bytes.Cut(out, []byte("\n"))
	words := strings.Fields(string(line))
	if err != nil || len(words) == 0 {
		return "unknown"
	}
	return words[len(words)-1]
}

// commit of the repository that is measured, with what is not committed.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output() //nolint:noctx // It prints a line and ends.
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(out))
}

func (b *bench) versions() string {
	return fmt.Sprintf("kube-apiserver %s, etcd %s, client-go %s, this provider at %s.\n",
		programVersion("kube-apiserver"), programVersion("etcd"), moduleVersion("k8s.io/client-go"), commit())
}
