package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

const (
	// tableForm is the media type of what kubectl get prints. See
	// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables.
	tableForm = "application/json;as=Table;v=v1;g=meta.k8s.io"
	// maxTable bounds a response, in bytes.
	maxTable = 1 << 20
)

// printViews prints what kubectl get shows of the four kinds, whether there is a
// kubectl or not.
func (w *world) printViews(ctx context.Context) error {
	if err := w.awaitCounts(ctx); err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(w.management.Config)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for _, kind := range []struct{ group, resource string }{
		{clusterv1.GroupVersion.String(), "clusters"},
		{v1alpha1.GroupVersion.String(), "bundles"},
		{v1alpha1.GroupVersion.String(), "clusterbundlesets"},
		{v1alpha1.GroupVersion.String(), "clusterbundles"},
	} {
		url := fmt.Sprintf("%s/apis/%s/namespaces/%s/%s", w.management.Config.Host, kind.group, namespace, kind.resource)
		table, err := getTable(ctx, client, url)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.resource, err)
		}
		fmt.Fprintf(w.out, "\n$ kubectl get %s\n", kind.resource)
		if err := printTable(w.out, table); err != nil {
			return fmt.Errorf("%s: %w", kind.resource, err)
		}
	}
	fmt.Fprintln(w.out)
	return nil
}

func getTable(ctx context.Context, client *http.Client, url string) (*metav1.Table, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", tableForm)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTable+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxTable {
		return nil, fmt.Errorf("%s: the table is larger than %d bytes", url, maxTable)
	}
	table := &metav1.Table{}
	return table, json.Unmarshal(body, table)
}

// printTable prints the columns that kubectl get shows without -o wide.
func printTable(out io.Writer, table *metav1.Table) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	printRow(w, table, func(i int) string { return strings.ToUpper(table.ColumnDefinitions[i].Name) })
	for _, row := range table.Rows {
		printRow(w, table, func(i int) string {
			if i >= len(row.Cells) {
				return ""
			}
			return cellText(row.Cells[i])
		})
	}
	return w.Flush()
}

func printRow(w io.Writer, table *metav1.Table, text func(int) string) {
	var cells []string
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			cells = append(cells, text(i))
		}
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// cellText returns a cell as kubectl prints it: only the first line, and numbers
// without an exponent.
func cellText(cell any) string {
	switch c := cell.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(c, 'f', -1, 64)
	default:
		line, _, _ := strings.Cut(fmt.Sprint(c), "\n")
		return line
	}
}
