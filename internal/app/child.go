package app

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/kustomize"
)

// RunChild does the work of a child process of the manager and ends it, if this process is
// one; else it returns at once. It comes first in main.
func RunChild() { child.Main(helm.RenderTask, helm.ValuesTask, kustomize.BuildTask) }
