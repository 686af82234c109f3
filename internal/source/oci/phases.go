package oci

import (
	"bytes"
	"encoding/json"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// The provider's own layout of an artifact: a layer of YAML in zstd for each
// phase, and a config that assigns layers to phases.
const (
	// BundleArtifactType is the artifactType of its manifest.
	BundleArtifactType = "application/vnd.caapb.bundle.v1"
	// PlanMediaType is the media type of its config, as in
	// {"phases":[{"name":"crds","layer":"sha256:..."}]}.
	PlanMediaType = "application/vnd.caapb.plan.v1+json"
	// PhaseMediaType is the media type of its layers.
	PhaseMediaType = "application/vnd.caapb.phase.v1.yaml+zstd"
	// PhaseAnnotation is the annotation of a layer with the name of its phase.
	PhaseAnnotation = "dev.caapb.phase"
)

// MaxPhases bounds the phases of a bundle, as the API does.
const MaxPhases = 16

// PhaseLayer is a phase and the layer that holds its manifests.
type PhaseLayer struct {
	// Name of the phase.
	Name string
	// Layer with its manifests.
	Layer Layer
}

// PlanOf returns the config of a manifest in the provider's own layout, to be
// fetched as a layer is and given to Phases; ok is false for another manifest.
func PlanOf(manifest []byte) (plan Layer, ok bool, err error) {
	m, err := parseManifest(manifest)
	if err != nil || m.ArtifactType != BundleArtifactType {
		return Layer{}, false, err
	}
	if m.Config.MediaType != PlanMediaType {
		return Layer{}, false, artifactInvalid("its config is of the media type %s, not %s",
			text.Quote(m.Config.MediaType, maxNameText), PlanMediaType)
	}
	plan, err = layerOf(m.Config)
	return plan, err == nil, fault.Wrap("config", err)
}

// Phases returns the phases of a manifest in the provider's own layout, in the
// order of its config. Every layer must be of exactly one phase, and must not be
// annotated with the name of another: else it is ArtifactInvalid. A config
// without the digest that the manifest names is DigestMismatch.
func Phases(manifest, config []byte) ([]PhaseLayer, error) {
	plan, ok, err := PlanOf(manifest)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, artifactInvalid("it is not of the artifact type %s", BundleArtifactType)
	}
	if digest.FromBytes(config) != plan.Digest {
		return nil, fault.Stallf(v1alpha1.DigestMismatchReason, "the config is not that of the digest %s", plan.Digest)
	}
	p, err := parsePlan(config)
	if err != nil {
		return nil, err
	}
	layers, err := phaseLayers(manifest)
	if err != nil {
		return nil, err
	}
	return assign(p, layers)
}

// phaseLayer is a layer that is not given to a phase yet.
type phaseLayer struct {
	Layer
	annotated string
}

// phaseLayers returns the layers of a bundle by digest.
func phaseLayers(manifest []byte) (map[digest.Digest]phaseLayer, error) {
	m, err := parseManifest(manifest)
	if err != nil {
		return nil, err
	}
	if _, err := layersOf(m); err != nil {
		return nil, err
	}
	layers := make(map[digest.Digest]phaseLayer, len(m.Layers))
	for i, d := range m.Layers {
		l, err := layerOf(d)
		if err != nil {
			return nil, err
		}
		if l.MediaType != PhaseMediaType {
			return nil, artifactInvalid("layers[%d]: the media type is %s, not %s",
				i, text.Quote(l.MediaType, maxNameText), PhaseMediaType)
		}
		if _, ok := layers[l.Digest]; ok {
			return nil, artifactInvalid("layers[%d]: %s is duplicated", i, l.Digest)
		}
		layers[l.Digest] = phaseLayer{Layer: l, annotated: d.Annotations[PhaseAnnotation]}
	}
	return layers, nil
}

// plan is the config of a bundle.
type plan struct {
	Phases []planPhase `json:"phases"`
}

type planPhase struct {
	Name  string        `json:"name"`
	Layer digest.Digest `json:"layer"`
}

// parsePlan returns the config of a bundle.
func parsePlan(config []byte) (plan, error) {
	var p plan
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || decoder.More() {
		return plan{}, artifactInvalid("the config is not a list of phases with a name and a layer each")
	}
	if len(p.Phases) == 0 || len(p.Phases) > MaxPhases {
		return plan{}, artifactInvalid("the config has %d phases, not 1 to %d", len(p.Phases), MaxPhases)
	}
	return p, nil
}

// assign gives each phase of p its layer, and every layer a phase.
func assign(p plan, layers map[digest.Digest]phaseLayer) ([]PhaseLayer, error) {
	names := map[string]bool{}
	phases := make([]PhaseLayer, 0, len(p.Phases))
	for i, phase := range p.Phases {
		l, ok := layers[phase.Layer]
		name := text.Quote(phase.Name, maxNameText)
		switch {
		case phase.Name == "" || names[phase.Name]:
			return nil, artifactInvalid("phases[%d]: the name %s is empty or duplicated", i, name)
		case !ok:
			return nil, artifactInvalid("phases[%d]: no layer, or one of another phase, has the digest %s",
				i, text.Quote(phase.Layer.String(), maxNameText))
		case l.annotated != "" && l.annotated != phase.Name:
			return nil, artifactInvalid("phases[%d]: the layer of the phase %s is annotated with %s",
				i, name, text.Quote(l.annotated, maxNameText))
		}
		names[phase.Name] = true
		delete(layers, phase.Layer)
		phases = append(phases, PhaseLayer{Name: phase.Name, Layer: l.Layer})
	}
	if len(layers) > 0 {
		return nil, artifactInvalid("%d of its layers without a phase", len(layers))
	}
	return phases, nil
}
