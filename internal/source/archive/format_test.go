package archive

import "testing"

func TestFormatOfName(t *testing.T) {
	t.Parallel()
	tests := map[string]Format{
		"calico.yaml":                    Plain,
		"calico.yml":                     Plain,
		"list.json":                      Plain,
		"calico.yaml.gz":                 Gzip,
		"calico.yaml.zst":                Zstd,
		"release.tar":                    Tar,
		"release.tar.gz":                 TarGzip,
		"release.tgz":                    TarGzip,
		"release.tar.zst":                TarZstd,
		"release.tzst":                   TarZstd,
		"RELEASE.TAR.GZ":                 TarGzip,
		"/v3.32.1/manifests/release.tgz": TarGzip,
		"v1.tar.gz/calico.yaml":          Plain,
		"README":                         Plain,
		"tar":                            Plain,
		"release.zip":                    Plain,
		"":                               Plain,
	}
	for name, want := range tests {
		if got := FormatOfName(name); got != want {
			t.Errorf("%q: want %q, got %q", name, want, got)
		}
	}
}

func TestFormatOfMediaType(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenType, givenTitle string
		want                  Format
		wantUnknown           bool
	}{
		"a Flux artifact": {givenType: "application/vnd.cncf.flux.content.v1.tar+gzip", want: TarGzip},
		"a layer":         {givenType: "application/vnd.oci.image.layer.v1.tar", want: Tar},
		"a gzip layer":    {givenType: "application/vnd.oci.image.layer.v1.tar+gzip", want: TarGzip},
		"a zstd layer":    {givenType: "application/vnd.oci.image.layer.v1.tar+zstd", want: TarZstd},
		"a layer of an image of Docker": {
			givenType: "application/vnd.docker.image.rootfs.diff.tar.gzip", want: TarGzip,
		},
		"YAML":                     {givenType: "application/yaml", want: Plain},
		"YAML by its older name":   {givenType: "application/x-yaml", want: Plain},
		"YAML as text":             {givenType: "text/yaml", want: Plain},
		"JSON":                     {givenType: "application/json", want: Plain},
		"a phase of our own":       {givenType: "application/vnd.caapb.phase.v1.yaml+zstd", want: Zstd},
		"a type with a parameter":  {givenType: "Application/YAML ; charset=utf-8", want: Plain},
		"a type before the title":  {givenType: "application/yaml", givenTitle: "x.tar.gz", want: Plain},
		"a directory oras packed":  {givenType: ociLayer + "+gzip", givenTitle: "manifests", want: TarGzip},
		"a file that oras pushed":  {givenType: ociLayer, givenTitle: "calico.yaml", want: Plain},
		"an archive oras pushed":   {givenType: ociLayer, givenTitle: "calico.tar.zst", want: TarZstd},
		"a tar layer of any title": {givenType: ociLayer, givenTitle: "calico", want: Tar},
		"a tar layer of a version": {givenType: ociLayer, givenTitle: "calico-v3.32", want: Tar},
		"a README oras pushed":     {givenType: ociLayer, givenTitle: "README.md", wantUnknown: true},
		"bytes with a title":       {givenType: "application/octet-stream", givenTitle: "a.yaml.gz", want: Gzip},
		"another type with a title": {
			givenType: "application/vnd.acme.rocket.v1", givenTitle: "a.tgz", want: TarGzip,
		},
		"no type but a title":    {givenTitle: "a.json", want: Plain},
		"bytes without a title":  {givenType: "application/octet-stream", wantUnknown: true},
		"bytes of another title": {givenType: "application/octet-stream", givenTitle: "a.exe", wantUnknown: true},
		"nothing":                {wantUnknown: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := FormatOfMediaType(test.givenType, test.givenTitle)
			if got != test.want || ok == test.wantUnknown {
				t.Errorf("want %q, %v, got %q, %v", test.want, !test.wantUnknown, got, ok)
			}
		})
	}
}

func TestIsArchive(t *testing.T) {
	t.Parallel()
	want := map[Format]bool{Tar: true, TarGzip: true, TarZstd: true}
	for _, format := range allFormats {
		if got := format.IsArchive(); got != want[format] {
			t.Errorf("%q: want %v, got %v", format, want[format], got)
		}
	}
}
