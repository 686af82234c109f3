package archive

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestFilesRefusesAnArchive(t *testing.T) {
	t.Parallel()
	good := regular("good.yaml", "good: 1")
	tests := map[string]struct {
		given     [][]byte
		wantTexts []string
	}{
		"with an absolute path":         {[][]byte{regular("/etc/a.yaml", "")}, []string{`"/etc/a.yaml"`, "absolute"}},
		"with a path that leads out":    {[][]byte{regular("../../x", "")}, []string{`"../../x"`, `".."`}},
		"with a path up and down again": {[][]byte{regular("a/../b.yaml", "")}, []string{`"a/../b.yaml"`, `".."`}},
		"with a path that ends above":   {[][]byte{typed('5', "a/..", "")}, []string{`"a/.."`, `".."`}},
		"with a backslash":              {[][]byte{regular(`..\a.yaml`, "")}, []string{`"..\\a.yaml"`, "backslash"}},
		"with a newline in a name":      {[][]byte{regular("a\n.yaml", "")}, []string{`"a .yaml"`, "control character"}},
		"with an escape in a name":      {[][]byte{regular("\x1b[2Ja.yaml", "")}, []string{`"[2Ja.yaml"`, "control"}},
		"with DEL in a name":            {[][]byte{regular("a\x7f.yaml", "")}, []string{"control character"}},
		"with a name that is not UTF-8": {[][]byte{regular("a\xff.yaml", "")}, []string{`"a�.yaml"`, "not UTF-8"}},
		"with NUL in an extended name": {
			[][]byte{pax('x', "path=a\x00.yaml"), regular("a.yaml", "")}, []string{"not readable as tar"},
		},
		"with a path that an extended header leads out": {
			[][]byte{pax('x', "path=../a.yaml"), regular("a.yaml", "")}, []string{`"../a.yaml"`, `".."`},
		},
		"with a path that GNU leads out": {
			[][]byte{typed('L', "././@LongLink", "../a.yaml\x00"), regular("a.yaml", "")}, []string{`"../a.yaml"`, `".."`},
		},
		"with an entry without a name": {[][]byte{regular("", "")}, []string{`entry ""`, "empty"}},
		"with a file that is the top":  {[][]byte{regular(".", "")}, []string{`entry "."`, "name of a directory"}},
		"with a file called as a directory": {
			[][]byte{regular("a.yaml/", "x")}, []string{`"a.yaml/"`, "name of a directory"},
		},
		"with a hard link":             {[][]byte{typed('1', "a.yaml", "")}, []string{`"a.yaml"`, "a hard link"}},
		"with a symbolic link":         {[][]byte{typed('2', "a.yaml", "")}, []string{`"a.yaml"`, "a symbolic link"}},
		"with a character device":      {[][]byte{typed('3', "a", "")}, []string{`"a"`, "a device"}},
		"with a block device":          {[][]byte{typed('4', "a", "")}, []string{`"a"`, "a device"}},
		"with a named pipe":            {[][]byte{typed('6', "a", "")}, []string{`"a"`, "a named pipe"}},
		"with a file of reserved type": {[][]byte{typed('7', "a", "x")}, []string{`"a"`, "of type '7'"}},
		"with a part of a file":        {[][]byte{typed('M', "a", "x")}, []string{`"a"`, "of type 'M'"}},
		"with a link that has the name of a file": {
			[][]byte{typed('2', "LICENSE", ""), regular("LICENSE", "")}, []string{`"LICENSE"`, "duplicated"},
		},
		"with a link whose name leads out of it": {[][]byte{typed('2', "../a", "")}, []string{`"../a"`, `".."`}},
		"with a sparse file of GNU":              {[][]byte{gnuSparse("a.yaml")}, []string{`"a.yaml"`, "a sparse file"}},
		"with a sparse file of an extended header": {
			[][]byte{pax('x', "GNU.sparse.major=0", "GNU.sparse.minor=1", "GNU.sparse.numblocks=1", "GNU.sparse.map=0,1",
				"GNU.sparse.size=1000000000", "GNU.sparse.name=a.yaml"), regular("b", "x")},
			[]string{`"a.yaml"`, "a sparse file"},
		},
		"with a sparse file of a version to come": {
			[][]byte{pax('x', "GNU.sparse.major=9"), regular("a.yaml", "x")}, []string{`"a.yaml"`, "a sparse file"},
		},
		"with a file twice": {[][]byte{regular("a", "1"), regular("a", "1")}, []string{`"a"`, "duplicated"}},
		"with a file twice by its clean path": {
			[][]byte{regular("a/b", "1"), regular("./a//b", "2")}, []string{`"./a//b"`, "duplicated"},
		},
		"with a file that is a directory too": {
			[][]byte{typed('5', "a/", ""), regular("a", "1")}, []string{`"a"`, "duplicated"},
		},
		"with a directory that is a file too": {
			[][]byte{regular("a", "1"), typed('5', "a/", "")}, []string{`"a/"`, "duplicated"},
		},
		"with a path for all that follow":   {[][]byte{pax('g', "path=b.yaml")}, []string{"global header", `"path"`}},
		"with a size for all that follow":   {[][]byte{pax('g', "size=1")}, []string{"global header", `"size"`}},
		"with a record that cannot be read": {[][]byte{typed('x', "h", "99 path=a\n")}, []string{"not readable as tar"}},
		"with a header that is not one": {
			[][]byte{bytes.Repeat([]byte("x"), 512)}, []string{`"good.yaml"`, "here or later"},
		},
		"with a block of zeros in the middle": {
			[][]byte{make([]byte, 512), good}, []string{`"good.yaml"`, "not readable"},
		},
		"with another archive after it": {[][]byte{make([]byte, 1024), good}, []string{"bytes after the end"}},
		"with something after it": {
			[][]byte{make([]byte, 300<<10), []byte("x")}, []string{"bytes after the end"},
		},
		"with a file larger than there is": {
			[][]byte{regular("a.yaml", strings.Repeat("x", 9000))[:1024]}, []string{`"a.yaml"`, "cut off"},
		},
		"with a name that is long, and refused": {
			[][]byte{pax('x', "path=/"+strings.Repeat("\U000f0000", 900)), regular("a", "")},
			[]string{`…": the path is absolute`},
		},
	}
	for name, test := range tests {
		for _, format := range []Format{Tar, TarGzip, TarZstd} {
			t.Run(name+" as "+string(format), func(t *testing.T) {
				t.Parallel()
				archive := tarOf(append([][]byte{good}, test.given...)...)
				got, err := readFiles(bytes.NewReader(compress(t, format, archive)), format, nil, DefaultLimits())
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, test.wantTexts...)
				wantFiles(t, nil, got)
			})
		}
	}
}

func TestAFileThatIsNoArchiveIsNamedAsWhatItIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"# Calico\n", "kind: A\n" + strings.Repeat("# a\n", 1000)} {
		_, err := readFiles(strings.NewReader(text), Tar, nil, DefaultLimits())
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, "no tar archive", "must end in .yaml")
	}
}

// gnuSparse returns an entry of the old GNU format: one byte and a hole of 1 GB.
func gnuSparse(name string) []byte {
	var b [512]byte
	copy(b[:], typed('S', name, "x")[:512])
	copy(b[257:], "ustar  \x00")
	copy(b[386:], "00000000000\x0000000000001\x00")
	copy(b[483:], "10000000000\x00")
	return append(checksummed(b), padded("x")...)
}

func TestFilesRefusesAnArchiveWithoutManifests(t *testing.T) {
	t.Parallel()
	for name, given := range map[string][]byte{
		"with nothing": tarOf(), "with other files": tarOf(regular("README", "x"), regular("._a.yaml", "x")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readFiles(bytes.NewReader(given), Tar, nil, DefaultLimits())
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, "no .yaml, .yml or .json file")
		})
	}
}

func TestFilesRefusesWhatIsNotOfItsFormat(t *testing.T) {
	t.Parallel()
	for _, format := range allFormats[1:] {
		for name, given := range map[string]string{
			"YAML":       "apiVersion: v1\nkind: List\n" + strings.Repeat("# 123456789\n", 100),
			"a web page": "<!DOCTYPE html>" + strings.Repeat(" ", 600),
			"one byte":   "{",
		} {
			t.Run(name+" as "+string(format), func(t *testing.T) {
				t.Parallel()
				got, err := readFiles(strings.NewReader(given), format, nil, DefaultLimits())
				compression, _ := format.layers()
				want := string(compression)
				if format == Tar {
					want = "tar"
				}
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, want)
				wantFiles(t, nil, got)
			})
		}
	}
}

func TestEveryShorterStreamIsRefused(t *testing.T) {
	t.Parallel()
	for _, format := range allFormats[1:] {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			packed, _ := sample(t, format)
			for size := range len(packed) {
				_, err := readFiles(bytes.NewReader(packed[:size]), format, nil, DefaultLimits())
				if fault.ReasonOf(err, "") != v1alpha1.ArchiveInvalidReason || fault.ClassOf(err) != fault.ClassStall {
					t.Fatalf("%d of %d bytes: want a terminal %s, got %v", size, len(packed), v1alpha1.ArchiveInvalidReason, err)
				}
				if !strings.Contains(err.Error(), "cut off") {
					t.Errorf("%d of %d bytes: want cut off, got %v", size, len(packed), err)
				}
			}
		})
	}
}

func TestADamagedByteNeverChangesAFile(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Gzip, Zstd, TarGzip, TarZstd} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			packed, want := sample(t, format)
			var refused int
			for at := range packed {
				for bit := range 8 {
					damaged := bytes.Clone(packed)
					damaged[at] ^= 1 << bit
					got, err := readFiles(bytes.NewReader(damaged), format, nil, DefaultLimits())
					if err != nil {
						refused++
						continue
					}
					// Some bytes, such as the time in the header of gzip, mean nothing to us.
					wantFiles(t, want, got)
				}
			}
			if refused < 4*len(packed) {
				t.Errorf("want most of the damage to be noticed, got %d of %d", refused, 8*len(packed))
			}
		})
	}
}

func TestWhatFollowsACompressedStream(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Gzip, Zstd} {
		one, two := compress(t, format, []byte("a: 1\n")), compress(t, format, []byte("b: 2\n"))
		got, err := readFiles(bytes.NewReader(append(bytes.Clone(one), two...)), format, nil, DefaultLimits())
		if err != nil {
			t.Fatalf("%s, two members: %v", format, err)
		}
		wantFiles(t, []file{{Content: "a: 1\nb: 2\n"}}, got)

		for _, garbage := range []string{"x", "\x00", "xyz", "\x00\x00\x00\x00", "garbage", strings.Repeat("\x00", 512)} {
			_, err := readFiles(bytes.NewReader(append(bytes.Clone(one), garbage...)), format, nil, DefaultLimits())
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, string(format))
			archive := append(compress(t, format, tarOf(regular("a.yaml", "1"))), garbage...)
			_, err = readFiles(bytes.NewReader(archive), "tar+"+format, nil, DefaultLimits())
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, string(format))
		}
	}
}
