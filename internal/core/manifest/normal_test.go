package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStringDataIsTheDataThatItBecomes(t *testing.T) {
	t.Parallel()
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n"
	tests := map[string]struct{ given, want string }{
		"alone":       {"stringData: {user: admin}", `"data":{"user":"YWRtaW4="}`},
		"beside data": {"data: {a: YQ==}\nstringData: {b: b}", `"data":{"a":"YQ==","b":"Yg=="}`},
		"it wins":     {"data: {a: YQ==}\nstringData: {a: b}", `"data":{"a":"Yg=="}`},
		"empty":       {"stringData: {}", `"data":{}`},
		"absent":      {"data: {a: YQ==}", `"data":{"a":"YQ=="}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := read(t, secret+test.given)[0]
			if !strings.Contains(got, test.want) || strings.Contains(got, "stringData") {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
	other := read(t, "apiVersion: example.com/v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n")[0]
	if !strings.Contains(other, `"stringData":{"a":"b"}`) {
		t.Errorf("want another kind left as it is, got %s", other)
	}
}

func TestAGenerateNameBecomesANameOfTheContent(t *testing.T) {
	t.Parallel()
	job := func(prefix, image string) string {
		return "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: " + prefix + "}\nspec: {image: " + image + "}\n"
	}
	names := func(documents ...string) (all []string) {
		for _, entry := range entries(t, strings.Join(documents, "---\n")) {
			all = append(all, entry.Name)
		}
		return all
	}
	got := names(job("migrate-", "one"), job("migrate-", "two"), job(strings.Repeat("n", 80), "one"))
	if !strings.HasPrefix(got[0], "migrate-") || len(got[0]) != len("migrate-")+generatedDigits || got[0] == got[1] {
		t.Errorf("want a name for each content, got %v", got)
	}
	if len(got[2]) != maxGenerated+generatedDigits {
		t.Errorf("want a name that is a label value, got %s", got[2])
	}
	if diff := cmp.Diff(got, names(job("migrate-", "one"), job("migrate-", "two"), job(strings.Repeat("n", 80), "one"))); diff != "" {
		t.Errorf("want the same names for the same content (-want +got):\n%s", diff)
	}
	named := names("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-, name: b}\n")
	if diff := cmp.Diff([]string{"b"}, named); diff != "" {
		t.Errorf("want a name that is given kept (-want +got):\n%s", diff)
	}
}
