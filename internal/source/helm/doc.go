// Package helm renders Helm charts with Helm's own library.
//
//	valuesFrom, values -> ValuesTask: Values -> Options        index.yaml -> ChartURL
//
//	archive -> RenderTask: Render
//	   scan, load -> dependencies -> schema -> templates -> crds/, manifests -> YAML stream
//	   archive.go    dependencies.go schema.go render.go    output.go
//
// It does what "helm template --include-crds" does, which the charts of e2e/helm show,
// with these differences:
//
//   - Nothing is fetched and no cluster is asked. lookup finds nothing, and
//     what a values.schema.json refers to in another file accepts every value.
//     Dependencies must be in the archive.
//   - The same input gives the same bytes. Functions whose result differs from
//     call to call, such as genCA, randAlphaNum and now, are refused where a
//     template calls them: their result would change with every rendering, on
//     each manager and after each move, and every cluster would get the same
//     private key. A chart that can do without, by cert-manager or an existing
//     Secret, has a value for it. They work with TrueRandom, for a rendering that is
//     kept, and give placeholders with PlaceholderRandom. keys and values are sorted.
//   - Capabilities.APIVersions holds the generally available groups, versions and
//     kinds of Kubernetes, those of the chart's own crds folders, those that are
//     given, and nothing that Kubernetes serves no more. Capabilities.KubeVersion has
//     the patch 0.
//   - Values are refused where Helm would write one to the log: inside of a global, one
//     of a chart and its dependency is a mapping and the other is not.
//   - A key that stands more than once in a mapping is written once, the last one, as
//     Helm reads it.
//   - Hooks that run at an installation or an upgrade are among the documents, with the
//     mark of package manifest that says when, unless they are refused. All others and
//     NOTES.txt are left out.
//
// Values may be secret, so no error repeats one. Of an error in a template they
// name the place and, in words of our own, the kind. The message of fail and
// required is repeated if it is a literal in the chart, and left out if it was
// put together.
//
// Archive, files, and output are bounded. What else a chart needs, memory and time, and
// what it does to the stack, is bounded where it is rendered: by RenderTask in a child
// process, and so are the values, by ValuesTask.
package helm
