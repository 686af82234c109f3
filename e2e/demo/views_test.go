package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPrintTable(t *testing.T) {
	t.Parallel()
	columns := []metav1.TableColumnDefinition{
		{Name: "Name"}, {Name: "Ready"}, {Name: "Message", Priority: 1}, {Name: "Age"},
	}
	tests := map[string]struct {
		given [][]any
		want  string
	}{
		"columns are aligned and wide ones left out": {
			given: [][]any{{"calico-berlin", "True", "a message", "5s"}, {"x", "False", "b", "12m"}},
			want: "NAME            READY   AGE\n" +
				"calico-berlin   True    5s\n" +
				"x               False   12m\n",
		},
		"a cell without a value is empty": {
			given: [][]any{{"x", nil, nil, "5s"}},
			want:  "NAME   READY   AGE\nx              5s\n",
		},
		"a number has no exponent": {
			given: [][]any{{"x", float64(12345678), "", float64(0)}},
			want:  "NAME   READY      AGE\nx      12345678   0\n",
		},
		"only the first line of a cell is shown": {
			given: [][]any{{"x\ny", true, "", "5s"}},
			want:  "NAME   READY   AGE\nx      true    5s\n",
		},
		"a row that is too short ends early": {
			given: [][]any{{"x", "True"}},
			want:  "NAME   READY   AGE\nx      True    \n",
		},
		"a table without rows has its head": {
			want: "NAME   READY   AGE\n",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := &metav1.Table{ColumnDefinitions: columns}
			for _, cells := range tc.given {
				table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
			}
			var out strings.Builder
			if err := printTable(&out, table); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGetTable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenStatus int
		givenBody   string

		wantRows  int
		wantError string
	}{
		"a table is returned": {
			givenStatus: http.StatusOK, givenBody: `{"columnDefinitions":[{"name":"Name"}],"rows":[{"cells":["x"]}]}`,
			wantRows: 1,
		},
		"a refusal is an error": {
			givenStatus: http.StatusForbidden, givenBody: `{}`,
			wantError: "403 Forbidden",
		},
		"what is no table is an error": {
			givenStatus: http.StatusOK, givenBody: `<html>`,
			wantError: "invalid character",
		},
		"a table that is too large is an error": {
			givenStatus: http.StatusOK, givenBody: strings.Repeat(" ", maxTable) + `{}`,
			wantError: "larger than 1048576 bytes",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var accept string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				accept = r.Header.Get("Accept")
				w.WriteHeader(tc.givenStatus)
				_, _ = w.Write([]byte(tc.givenBody))
			}))
			defer server.Close()
			table, err := getTable(t.Context(), server.Client(), server.URL)
			if accept != tableForm {
				t.Errorf("the table form was not asked for, but %q", accept)
			}
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("want an error with %q, got %v", tc.wantError, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Rows) != tc.wantRows {
				t.Errorf("want %d rows, got %d", tc.wantRows, len(table.Rows))
			}
		})
	}
}
