package kustomize

import (
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// fileNames are the names of kustomizations, as the library knows them.
var fileNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// FileNames returns the names that the file of a kustomization may have.
func FileNames() []string { return slices.Clone(fileNames) }

// Files are those of an archive.
type Files struct {
	// Content of each file by its clean path.
	Content map[string][]byte
	// Links are the paths of links, which are not followed.
	Links map[string]bool
}

// DefaultOutput bounds the YAML of all objects, in bytes: 64 MiB.
const DefaultOutput = 64 << 20

// ErrNotBuiltIn is the error of kustomizations in a program that is built with the tag
// no_kustomize: a Stall with the reason SourceInvalid.
var ErrNotBuiltIn = fault.Stallf(v1alpha1.SourceInvalidReason,
	"this manager is built without kustomize (build tag no_kustomize): publish what \"kubectl kustomize\" writes")
