package helm

import (
	"io"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
)

// RenderRequest is what a chart is rendered with.
type RenderRequest struct {
	Options Options
	Limits  Limits
}

// RenderTask is Render in a child process: the body is the chart, and the answer are the
// warnings.
var RenderTask = child.Task[RenderRequest, []string]{
	Name: "rendering", CrashReason: v1alpha1.ChartInvalidReason,
	Do: func(in RenderRequest, chart io.Reader, w io.Writer) ([]string, error) {
		return Render(chart, w, in.Options, in.Limits)
	},
}

// ValuesRequest is what the values of a chart are put together from.
type ValuesRequest struct {
	Documents []Document
	Inline    []byte
}

// ValuesTask is Values in a child process: the output are the values, and the answer are
// the warnings.
var ValuesTask = child.Task[ValuesRequest, []string]{
	Name: "values", CrashReason: v1alpha1.ReferenceInvalidReason,
	Do: func(in ValuesRequest, _ io.Reader, w io.Writer) ([]string, error) {
		values, warnings, err := Values(in.Documents, in.Inline)
		if err != nil {
			return nil, err
		}
		_, err = w.Write(values)
		return warnings, err
	},
}
