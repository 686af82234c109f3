package packing

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// ChartName is the name of the charts.
const ChartName = "bundle"

// braces begin an action of a template, and escaped is an action that writes them.
var braces, escaped = []byte("{{"), []byte(`{{"{{"}}`)

// maxFile is less than what Helm takes as one file of a chart, which is 5 MiB.
const maxFile = 5<<20 - 1<<10

// Chart writes a packed chart: the CRDs of the files in the folder crds, where Helm wants
// them, and everything else in its templates. There are as few files as there can be, since
// Helm sends the CRDs of a file at the same time, and file after file.
func Chart(path, version string, files []string) error {
	crds, rest, err := split(files)
	if err != nil {
		return err
	}
	meta := fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\n", ChartName, version)
	return writeChart(path, slices.Concat([]member{{"Chart.yaml", meta}}, crds, rest))
}

// split returns files with the CRDs, and files of templates for the rest.
func split(files []string) (crds, rest []member, err error) {
	documents, err := read(files)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range documents {
		if d.isDefinition() {
			crds = add(crds, "crds/%03d.yaml", d.text)
			continue
		}
		rest = add(rest, "templates/%03d.yaml", bytes.ReplaceAll(d.text, braces, escaped))
	}
	return crds, rest, nil
}

// add adds a document to the last of the files, or to a new one.
func add(files []member, name string, text []byte) []member {
	document := fmt.Appendf(nil, "---\n%s\n", text)
	last := len(files) - 1
	if last < 0 || len(files[last].content)+len(document) > maxFile {
		return append(files, member{fmt.Sprintf(name, len(files)), document})
	}
	files[last].content = append(files[last].content, document...)
	return files
}

// member is a file of a chart.
type member struct {
	name    string
	content []byte
}

func writeChart(path string, members []member) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	compressed := gzip.NewWriter(f)
	archive := tar.NewWriter(compressed)
	for _, m := range members {
		if err := writeMember(archive, m); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

func writeMember(w *tar.Writer, m member) error {
	header := &tar.Header{Name: ChartName + "/" + m.name, Mode: 0o644, Size: int64(len(m.content))}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(m.content))
	return err
}
