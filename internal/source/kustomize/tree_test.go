//go:build !no_kustomize

package kustomize

import (
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestFilesMayHaveAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"getting started.md", "+page.html", "docs (old)/a..b.md", "größe.txt", "~#%,!'$"} {
		files := filesOf("edge site/kustomization.yaml", "resources: ['a (1).yaml', ../the base+all]\nnamePrefix: x-\n",
			"edge site/a (1).yaml", configMap, name, "anything",
			"the base+all/kustomization.yaml", "configMapGenerator: [{name: b, files: ['k=größe..txt']}]\n",
			"the base+all/größe..txt", "text")
		got, err := build(files, "edge site")
		if err != nil || !strings.Contains(string(got), "name: x-a") || !strings.Contains(string(got), "k: text") {
			t.Errorf("%s: want the objects, got %s, %v", name, got, err)
		}
	}
}

func TestAFileThatIsAFolderTooIsRefused(t *testing.T) {
	t.Parallel()
	_, err := build(filesOf("kustomization.yaml", "resources: [a]", "a", configMap, "a/b.yaml", configMap), ".")
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.KustomizationInvalidReason, `"a" is a file and a folder`)
}
