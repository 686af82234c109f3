package app

import (
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app/configuration"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

// configured is what the configuration is for.
type configured struct {
	objects    ObjectLimits
	files      *fetch.Sources
	registries *oci.Client
	resolver   *source.Resolver
	children   *child.Runner
	library    *library.Library
}

// apply has other settings take effect. What says where sources may come from goes first,
// and the library looks at them again last.
func (c *configured) apply(s configuration.Settings) {
	c.files.Configure(fileSettings(s))
	c.registries.Configure(registrySettings(s))
	c.resolver.Configure(sourceSettings(s))
	c.children.Resize(s.Rendering)
	c.library.Configure(librarySettings(s, c.objects))
	c.library.LookAgainAtAll()
}

func fileSettings(s configuration.Settings) fetch.Settings {
	return fetch.Settings{
		DenyCIDRs: s.Denied, AllowCIDRs: s.Allowed, MaxBytes: s.BundleBytes, MaxRatio: s.CompressionRatio,
	}
}

func registrySettings(s configuration.Settings) oci.Settings {
	return oci.Settings{Mirrors: s.Mirrors, TokenCIDRs: s.TokenServers}
}

func sourceSettings(s configuration.Settings) source.Settings {
	charts := helm.DefaultLimits()
	charts.Ratio = s.CompressionRatio
	return source.Settings{Charts: charts, SecretTypes: s.SecretTypes, Signers: s.Signers}
}

func librarySettings(s configuration.Settings, objects ObjectLimits) library.Settings {
	archives := archive.DefaultLimits()
	archives.Bytes, archives.Ratio = s.BundleBytes, s.CompressionRatio
	return library.Settings{
		MaxBytes: s.BundleBytes, Archives: archives, Concurrency: s.Concurrency,
		Limits: manifest.Limits{
			Object: objects.Bytes, Nesting: objects.Nesting, Nodes: objects.Nodes, Objects: s.Objects,
		},
	}
}

// addConfiguration has the manager look at the file, and report on it.
func addConfiguration(mgr ctrl.Manager, file *configuration.File, c *configured) error {
	reporter := &configuration.Reporter{
		Pod: ownPod(), Client: mgr.GetClient(), Events: mgr.GetEventRecorder(name), Now: time.Now,
	}
	file.Apply, file.Report = c.apply, reporter.Report
	return mgr.Add(file)
}

// ownPod returns the Pod that the manager runs in, without a name if it runs in none.
func ownPod() corev1.ObjectReference {
	return corev1.ObjectReference{
		Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID")),
	}
}
