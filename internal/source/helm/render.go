//go:build !no_helm

package helm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// BuiltIn is whether charts can be rendered: not with the build tag no_helm.
const BuiltIn = true

// Render renders the chart and writes YAML documents to w: first those of the
// crds folders if they are wanted, then those of the templates in the order in
// which Helm installs kinds. Each follows a line with the name of its file.
// Nothing is written when an error is found before.
//
// Nothing bounds the memory and the time that it needs, and a chart can make it panic or
// its stack overflow: the charts of strangers are rendered with RenderTask.
//
// The warnings are what should be looked at though Helm takes it: APIs that templates
// ask for in vain, and keys that stand more than once. They are the same for the same
// input, and hold no value.
//
// Errors are Stalls with the reasons ChartInvalid, LimitExceeded, and
// ConstraintInvalid for a KubeVersion that cannot be parsed; those of the reader
// and of the writer are returned as they are.
func Render(chart io.Reader, w io.Writer, opts Options, limits Limits) (warnings []string, err error) {
	if err := limits.validate(); err != nil {
		return nil, err
	}
	capabilities, err := capabilitiesOf(opts.KubeVersion)
	if err != nil {
		return nil, err
	}
	loaded, err := load(chart, limits)
	if err != nil {
		return nil, err
	}
	r := rendering{chart: loaded, opts: opts, capabilities: capabilities, limits: limits}
	warnings, err = r.render(w)
	return warnings, fault.Wrap("chart "+text.Line(loaded.Name(), maxText), err)
}

func (l Limits) validate() error {
	if min(l.ArchiveBytes, l.UnpackedBytes, l.Ratio, l.OutputBytes, int64(l.Files)) <= 0 {
		return errors.New("chart: a limit is not positive")
	}
	if l.UnpackedBytes > maxUnpackedBytes {
		return fmt.Errorf("chart: the limit of %d bytes unpacked is more than Helm's own of %d", l.UnpackedBytes, maxUnpackedBytes)
	}
	return nil
}

// rendering is a chart on its way through Render.
type rendering struct {
	chart        *chartv2.Chart
	opts         Options
	capabilities *common.Capabilities
	limits       Limits
	// asked are what the templates asked for in vain.
	asked questions
	// warnings are about hooks.
	warnings []string
}

// render writes the chart and returns what should be looked at.
func (r *rendering) render(w io.Writer) ([]string, error) {
	documents, err := r.documents()
	if err != nil {
		return nil, err
	}
	warnings := slices.Concat(r.asked.warnings(), r.warnings, dropDuplicates(documents))
	if err := markHooks(documents); err != nil {
		return nil, err
	}
	return warnings, write(w, documents, r.limits.OutputBytes)
}

// documents returns what the chart delivers, in order.
func (r *rendering) documents() ([]document, error) {
	if err := r.checkKubeVersion(); err != nil {
		return nil, err
	}
	values, err := r.values()
	if err != nil {
		return nil, err
	}
	files, err := r.execute(values)
	if err != nil {
		return nil, err
	}
	documents, warnings, err := manifests(files, r.opts.Hooks == v1alpha1.RefuseHooks)
	r.warnings = warnings
	if err != nil {
		return nil, err
	}
	if r.opts.IncludeCRDs {
		documents = append(definitions(r.chart), documents...)
	}
	return documents, nil
}

// checkKubeVersion compares the version of Kubernetes with what the chart requires.
func (r *rendering) checkKubeVersion() error {
	wanted := r.chart.Metadata.KubeVersion
	if wanted == "" {
		return nil
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return invalid("its kubeVersion %s is no constraint", text.Quote(wanted, maxNameText))
	}
	if given := r.capabilities.KubeVersion.Version; !constraint.Check(semver.MustParse(given)) {
		return invalid("it requires Kubernetes %s and this is %s", text.Quote(wanted, maxNameText), given)
	}
	return nil
}

// values returns what the templates see.
func (r *rendering) values() (common.Values, error) {
	given := map[string]any{}
	if err := json.Unmarshal(orEmpty(r.opts.Values), &given); err != nil {
		return nil, errNotJSON
	}
	if err := processDependencies(r.chart, given); err != nil {
		return nil, err
	}
	defined, err := definedVersions(r.chart)
	if err != nil {
		return nil, err
	}
	r.capabilities.APIVersions = slices.Concat(r.capabilities.APIVersions, defined, distinct(r.opts.APIVersions))
	r.asked = questions{served: r.capabilities.APIVersions, asked: map[string]bool{}}
	release := common.ReleaseOptions{
		Name: r.opts.ReleaseName, Namespace: r.opts.Namespace, Revision: 1, IsInstall: true,
	}
	const skipSchemas = true // checkSchemas does it
	all, err := commonutil.ToRenderValuesWithSchemaValidation(r.chart, given, release, r.capabilities, skipSchemas)
	if err != nil {
		return nil, invalid("its values cannot be merged with those given")
	}
	values, err := all.Table("Values")
	if err != nil {
		return nil, invalid("its values cannot be merged with those given")
	}
	all["Capabilities"] = &seenCapabilities{
		Capabilities: r.capabilities, APIVersions: newSeenVersions(r.capabilities.APIVersions, &r.asked),
	}
	return all, checkSchemas(r.chart, values.AsMap())
}

// execute runs the templates and returns what they write by their paths.
func (r *rendering) execute(values common.Values) (map[string]string, error) {
	templates := templatesOf(r.chart)
	calls := &calls{random: r.opts.Random, placeholders: newPlaceholders()}
	e := engine.Engine{CustomTemplateFuncs: calls.functions()}
	files, err := e.Render(r.chart, values)
	if err != nil {
		return nil, templateFailed(err, calls.failure, templates)
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, "NOTES.txt") })
	return files, nil
}

// templatesOf returns the text of all templates by their paths. A library has only
// those that define something.
func templatesOf(c *chartv2.Chart) map[string]string {
	templates := map[string]string{}
	for _, t := range c.Templates {
		if c.Metadata.Type == "library" && !strings.HasPrefix(path.Base(t.Name), "_") {
			continue
		}
		templates[path.Join(c.ChartFullPath(), t.Name)] = string(t.Data)
	}
	for _, dependency := range c.Dependencies() {
		maps.Copy(templates, templatesOf(dependency))
	}
	return templates
}

// definitions returns the documents of the crds folders.
func definitions(c *chartv2.Chart) []document {
	var documents []document
	for _, crd := range c.CRDObjects() {
		for i, body := range splitDocuments(string(crd.File.Data)) {
			if strings.TrimSpace(body) != "" {
				documents = append(documents, document{path: crd.Filename, number: i + 1, body: body})
			}
		}
	}
	return documents
}
