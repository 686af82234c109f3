package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTakeoverReportsWhatIsWrongWithItsArguments(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"help":                    {args: []string{"--help"}, code: 0, want: "--apply"},
		"nothing to take over":    {code: 2, want: "--crs is required"},
		"a flag that is none":     {args: []string{"--crs", "a", "--force"}, code: 2, want: "--force"},
		"an argument":             {args: []string{"--crs", "a", "b"}, code: 2, want: `unknown argument "b"`},
		"a kubeconfig that is no": {args: []string{"--crs", "a", "--kubeconfig", "/does/not/exist"}, code: 1, want: "/does/not/exist"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, report bytes.Buffer
			if code := takeover(t.Context(), test.args, &out, &report); code != test.code {
				t.Errorf("want exit code %d, got %d", test.code, code)
			}
			if out.Len() > 0 || !strings.Contains(report.String(), test.want) {
				t.Errorf("want %q in the report, got %q and %q", test.want, out.String(), report.String())
			}
		})
	}
}
