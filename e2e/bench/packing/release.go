package packing

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// record is what Helm keeps of an installation, as far as it has any size.
type record struct {
	Chart    chartRecord `json:"chart"`
	Manifest string      `json:"manifest"`
}

type chartRecord struct {
	Templates []fileRecord `json:"templates"`
	Files     []fileRecord `json:"files"`
}

type fileRecord struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// ReleaseSize returns how many bytes Helm's record of an installation of the files has: the
// chart with its CRDs and the rendered manifest, compressed and in base64. A Secret has to
// hold it.
func ReleaseSize(files []string) (int, error) {
	crds, rest, err := split(files)
	if err != nil {
		return 0, err
	}
	of := record{Chart: chartRecord{Templates: records(rest), Files: records(crds)}}
	for _, m := range rest {
		of.Manifest += string(m.content)
	}
	content, err := json.Marshal(of)
	if err != nil {
		return 0, err
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	_, err = w.Write(content)
	err = errors.Join(err, w.Close())
	return base64.StdEncoding.EncodedLen(compressed.Len()), err
}

func records(files []member) []fileRecord {
	all := make([]fileRecord, len(files))
	for i, m := range files {
		all[i] = fileRecord{m.name, m.content}
	}
	return all
}
