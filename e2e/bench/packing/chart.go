package packing

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// ChartName is the name of the charts.
const ChartName = "bundle"

// braces begin an action of a template, and escaped is an action that writes them.
var braces, escaped = []byte("{{"), []byte(`{{"{{"}}`)

// The files of a chart. Helm wants CRDs in the folder crds. They are in one file, since Helm
// sends those of a file at the same time, and file after file.
const (
	definitionsFile = "crds/crds.yaml"
	templatesFile   = "templates/objects.yaml"
)

// Chart writes a packed chart: the CRDs of the files where Helm wants them, and everything
// else in its templates.
func Chart(path, version string, files []string) error {
	crds, rest, err := split(files)
	if err != nil {
		return err
	}
	meta := fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\n", ChartName, version)
	return writeChart(path, []member{{"Chart.yaml", meta}, {definitionsFile, crds}, {templatesFile, rest}})
}

// split returns the CRDs, and templates for the rest.
func split(files []string) (crds, rest []byte, err error) {
	documents, err := read(files)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range documents {
		if d.isDefinition() {
			crds = fmt.Appendf(crds, "---\n%s\n", d.text)
			continue
		}
		rest = fmt.Appendf(rest, "---\n%s\n", bytes.ReplaceAll(d.text, braces, escaped))
	}
	return crds, rest, nil
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
		if len(m.content) == 0 { // a bundle without CRDs, or with nothing else
			continue
		}
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
