package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestFilesReadsEveryFormat(t *testing.T) {
	t.Parallel()
	readers := map[string]func(io.Reader) io.Reader{
		"as it comes":       func(r io.Reader) io.Reader { return r },
		"byte by byte":      iotest.OneByteReader,
		"ended by its data": iotest.DataErrReader,
	}
	for _, format := range allFormats {
		for name, reader := range readers {
			t.Run(fmt.Sprintf("%q %s", format, name), func(t *testing.T) {
				t.Parallel()
				packed, want := sample(t, format)
				got, err := readFiles(reader(bytes.NewReader(packed)), format, nil, DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				wantFiles(t, want, got)
			})
		}
	}
}

func TestFilesReadsThroughAFileOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	packed, want := sample(t, TarGzip)
	got, err := readFrom(bytes.NewReader(packed), TarGzip, nil, DefaultLimits(), func() (Scratch, error) {
		return os.CreateTemp(dir, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, want, got)
}

func TestFilesOfAnArchive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given  [][]byte
		wanted []string
		want   []file
	}{
		"come in lexical order of their clean paths": {
			given: [][]byte{
				regular("./b.yaml", "2"), regular("a/z.yaml", "1"), regular("a-b.yml", "0"), regular("c//d.json", "3"),
			},
			want: []file{{"a-b.yml", "0"}, {"a/z.yaml", "1"}, {"b.yaml", "2"}, {"c/d.json", "3"}},
		},
		"are manifests only": {
			given: [][]byte{
				regular("README.md", "x"), regular("a.yaml", "1"), regular("a.yaml.gz", "x"), regular("yaml", "x"),
			},
			want: []file{{"a.yaml", "1"}},
		},
		"may be in upper case": {given: [][]byte{regular("A.YAML", "1")}, want: []file{{"A.YAML", "1"}}},
		"may be empty":         {given: [][]byte{regular("a.yaml", "")}, want: []file{{"a.yaml", ""}}},
		"are without those of Mac": {
			given: [][]byte{regular("._a.yaml", "x"), regular("b/._c.yaml", "x"), regular("b/d.yaml", "1")},
			want:  []file{{"b/d.yaml", "1"}},
		},
		"may begin with two dots": {
			given: [][]byte{regular("..a.yaml", "1"), regular("a../b...yaml", "2")},
			want:  []file{{"..a.yaml", "1"}, {"a../b...yaml", "2"}},
		},
		"lie in directories, that may come twice": {
			given: [][]byte{
				typed('5', "./", ""), typed('5', "a/", ""), typed('5', "a", ""), regular("a/b.yaml", "1"),
			},
			want: []file{{"a/b.yaml", "1"}},
		},
		"may be of the oldest tar": {given: [][]byte{typed(0, "a.yaml", "1")}, want: []file{{"a.yaml", "1"}}},
		"stand behind a global header": {
			given: [][]byte{pax('g', "comment=d5ba832"), regular("a.yaml", "1")}, want: []file{{"a.yaml", "1"}},
		},
		"have long names by an extended header": {
			given: [][]byte{pax('x', "path="+strings.Repeat("d/", 200)+"é.yaml"), regular("short", "1")},
			want:  []file{{strings.Repeat("d/", 200) + "é.yaml", "1"}},
		},
		"have long names by GNU": {
			given: [][]byte{typed('L', "././@LongLink", strings.Repeat("d/", 200)+"e.yaml\x00"), regular("short", "1")},
			want:  []file{{strings.Repeat("d/", 200) + "e.yaml", "1"}},
		},
		"come in the order that is asked for": {
			given:  [][]byte{regular("a.yaml", "1"), regular("b.yaml", "2"), regular("c.yaml", "3")},
			wanted: []string{"c.yaml", "a.yaml"}, want: []file{{"c.yaml", "3"}, {"a.yaml", "1"}},
		},
		"may be any when asked for": {
			given:  [][]byte{regular("./a/._b", "1"), regular("c", "2"), regular("d.yaml", "x")},
			wanted: []string{"./c", "a//._b"}, want: []file{{"c", "2"}, {"a/._b", "1"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readFiles(bytes.NewReader(tarOf(test.given...)), Tar, test.wanted, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, test.want, got)
		})
	}
}

func TestALinkThatNobodyReadsIsSkipped(t *testing.T) {
	t.Parallel()
	archive := tarOf(regular("deploy/a.yaml", "a"), typed('2', "LICENSE", ""), typed('1', "docs/latest", ""), typed('2', "._b.yaml", ""))
	for name, wanted := range map[string][]string{"of all manifests": nil, "of the wanted files": {"deploy/a.yaml"}} {
		got, err := readFiles(bytes.NewReader(archive), Tar, wanted, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantFiles(t, []file{{"deploy/a.yaml", "a"}}, got)
	}
	_, err := readFiles(bytes.NewReader(archive), Tar, []string{"LICENSE"}, DefaultLimits())
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, `"LICENSE"`, "a symbolic link")
}

func TestAChartIsNoArchiveOfManifests(t *testing.T) {
	t.Parallel()
	read := func(wanted []string, names ...string) error {
		var entries [][]byte
		for _, name := range names {
			entries = append(entries, regular(name, "a: 1"))
		}
		_, err := readFiles(bytes.NewReader(tarOf(entries...)), Tar, wanted, DefaultLimits())
		return err
	}
	for _, folder := range []string{"", "app/"} {
		err := read(nil, folder+"Chart.yaml", folder+"templates/a.yaml")
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, "it is a Helm chart: use a helm source")
	}
	for name, err := range map[string]error{
		"wanted files of a chart":        read([]string{"app/crds/a.yaml"}, "app/Chart.yaml", "app/crds/a.yaml", "app/templates/a.yaml"),
		"a chart deep in a repository":   read(nil, "repo/charts/app/Chart.yaml", "repo/charts/app/templates/a.yaml"),
		"a file that is named like that": read(nil, "app/Chart.yaml", "app/a.yaml"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheOrderInAnArchiveMeansNothing(t *testing.T) {
	t.Parallel()
	var entries [][]byte
	for n := range 20 {
		entries = append(entries, regular(fmt.Sprintf("%c/%d.yaml", 'a'+n%3, n), strings.Repeat("x", n*100)))
	}
	wanted := []string{"b/1.yaml", "a/18.yaml", "c/2.yaml", "a/0.yaml"}
	wantAll, _ := readFiles(bytes.NewReader(tarOf(entries...)), Tar, nil, DefaultLimits())
	if len(wantAll) != len(entries) {
		t.Fatalf("want %d files, got %d", len(entries), len(wantAll))
	}
	wantSome, _ := readFiles(bytes.NewReader(tarOf(entries...)), Tar, wanted, DefaultLimits())
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		gotAll, errAll := readFiles(bytes.NewReader(tarOf(entries...)), Tar, nil, DefaultLimits())
		gotSome, errSome := readFiles(bytes.NewReader(tarOf(entries...)), Tar, wanted, DefaultLimits())
		if errAll != nil || errSome != nil {
			t.Fatal(errAll, errSome)
		}
		wantFiles(t, wantAll, gotAll)
		wantFiles(t, wantSome, gotSome)
	}
}

func TestFilesRefusesWhatCannotBeWanted(t *testing.T) {
	t.Parallel()
	archive := tarOf(regular("a.yaml", "1"), typed('5', "dir/", ""))
	tests := map[string]struct {
		givenFormat Format
		given       []string
		limits      func(*Limits)
		wantReason  string
		wantText    string
	}{
		"a file that is not there": {
			Tar, []string{"a.yaml", "b.yaml"}, nil, v1alpha1.ArchiveInvalidReason, `no file "b.yaml"`,
		},
		"a directory": {Tar, []string{"dir"}, nil, v1alpha1.ArchiveInvalidReason, `no file "dir"`},
		"a file twice": {
			Tar, []string{"a.yaml", "./a.yaml"}, nil, v1alpha1.SourceInvalidReason, `"./a.yaml": wanted twice`,
		},
		"a file without a name": {Tar, []string{""}, nil, v1alpha1.SourceInvalidReason, "the name is empty"},
		"a file outside": {
			Tar, []string{"../a.yaml"}, nil, v1alpha1.SourceInvalidReason, `file "../a.yaml": ".." in the path`,
		},
		"an absolute path": {
			Tar, []string{"/a.yaml"}, nil, v1alpha1.SourceInvalidReason, `"/a.yaml": the path is absolute`,
		},
		"a file of a plain file":   {Plain, []string{"a.yaml"}, nil, v1alpha1.SourceInvalidReason, "not an archive"},
		"a file of a file in zstd": {Zstd, []string{"a.yaml"}, nil, v1alpha1.SourceInvalidReason, "not an archive"},
		"more files than there may": {
			Tar, []string{"a.yaml", "b"}, func(l *Limits) { l.Files = 1 }, v1alpha1.LimitExceededReason, "2 files are wanted",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := DefaultLimits()
			if test.limits != nil {
				test.limits(&limits)
			}
			got, err := readFiles(bytes.NewReader(archive), test.givenFormat, test.given, limits)
			faulttest.Want(t, err, fault.ClassStall, test.wantReason, test.wantText)
			wantFiles(t, nil, got)
		})
	}
}

func TestAFormatThatDoesNotExist(t *testing.T) {
	t.Parallel()
	_, err := readFiles(strings.NewReader("x"), "zip", nil, DefaultLimits())
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, `"zip"`)
}

func TestAConsumerThatStops(t *testing.T) {
	t.Parallel()
	for _, format := range allFormats {
		t.Run(string("format "+format), func(t *testing.T) {
			t.Parallel()
			packed, want := sample(t, format)
			scratch := &memory{}
			var got []string
			for f, err := range Files(bytes.NewReader(packed), format, nil, DefaultLimits(),
				func() (Scratch, error) { return scratch, nil }) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, f.Name)
				break
			}
			if len(got) != 1 || got[0] != want[0].Name {
				t.Errorf("want %q, got %q", want[0].Name, got)
			}
			if format.IsArchive() && scratch.closed != 1 {
				t.Errorf("want the scratch file to be closed once, got %d times", scratch.closed)
			}
		})
	}
}

func TestWhatAConsumerLeavesIsCheckedToo(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Gzip, Zstd} {
		packed, _ := sample(t, format)
		packed[len(packed)-1] ^= 1
		var errs []error
		for _, err := range Files(bytes.NewReader(packed), format, nil, DefaultLimits(), nil) {
			errs = append(errs, err)
		}
		if len(errs) != 2 || errs[0] != nil {
			t.Fatalf("%s: want a file and an error, got %v", format, errs)
		}
		faulttest.Want(t, errs[1], fault.ClassStall, v1alpha1.ArchiveInvalidReason, string(format))
	}
}

func TestAReaderThatFailsKeepsItsClass(t *testing.T) {
	t.Parallel()
	for _, format := range allFormats {
		for _, cause := range []error{
			fault.Retry(v1alpha1.StoreFailedReason, errors.New("input/output error")),
			fault.Retry(v1alpha1.StoreFailedReason, io.ErrUnexpectedEOF),
			fault.Stall(v1alpha1.DigestMismatchReason, errors.New("another digest")),
		} {
			packed, _ := sample(t, format)
			for _, good := range []int{0, 1, len(packed) / 2, len(packed) - 1} {
				broken := io.MultiReader(bytes.NewReader(packed[:good]), iotest.ErrReader(cause))
				_, err := readFiles(broken, format, nil, DefaultLimits())
				faulttest.Want(t, err, fault.ClassOf(cause), fault.ReasonOf(cause, ""), "read: "+cause.Error())
				if !errors.Is(err, cause) {
					t.Errorf("%q after %d bytes: %v lost its cause", format, good, err)
				}
			}
		}
	}
}
