package archive

import (
	"bytes"
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// FuzzFiles reads anything in any format: it must not panic, must stay within
// the limits, give each refusal a reason, and say the same twice.
func FuzzFiles(f *testing.F) {
	for n, format := range allFormats {
		packed, _ := sample(f, format)
		f.Add(byte(n), packed)
		f.Add(byte(n), packed[:len(packed)/2])
	}
	f.Add(byte(3), tarOf(gnuSparse("a.yaml")))
	f.Add(byte(3), tarOf(pax('x', "path=../a.yaml"), regular("a.yaml", "1")))
	f.Add(byte(3), tarOf(pax('g', "comment=x"), typed('L', "././@LongLink", "b.yaml\x00"), regular("a.yaml", "1")))
	f.Add(byte(3), tarOf(typed('2', "a.yaml", "")))
	limits := Limits{Bytes: 1 << 20, Ratio: 50, Files: 20, Name: 64, Window: 1 << 20}
	f.Fuzz(func(t *testing.T, which byte, packed []byte) {
		format := allFormats[int(which)%len(allFormats)]
		got, err := readFiles(bytes.NewReader(packed), format, nil, limits)
		if err != nil {
			reason := fault.ReasonOf(err, "")
			known := reason == v1alpha1.ArchiveInvalidReason || reason == v1alpha1.LimitExceededReason
			if !known || fault.ClassOf(err) != fault.ClassStall || len(err.Error()) > 1024 {
				t.Errorf("want a terminal reason and a short message, got %q: %v", reason, err)
			}
		}
		var size int64
		var names []string
		for _, file := range got {
			size += int64(len(file.Content))
			names = append(names, file.Name)
			if format.IsArchive() && (!fs.ValidPath(file.Name) || !isManifest(file.Name) || len(file.Name) > limits.Name) {
				t.Errorf("%q came out of the archive", file.Name)
			}
		}
		if !slices.IsSorted(names) || len(slices.Compact(names)) != len(got) {
			t.Errorf("want sorted names, each once, got %q", names)
		}
		if size > limits.Bytes || len(got) > limits.Files {
			t.Errorf("%d bytes in %d files are over the limits", size, len(got))
		}
		again, errAgain := readFiles(bytes.NewReader(packed), format, nil, limits)
		if diff := cmp.Diff(got, again); diff != "" || (err == nil) != (errAgain == nil) {
			t.Errorf("another result the second time, %v after %v:\n%s", errAgain, err, diff)
		}
	})
}
