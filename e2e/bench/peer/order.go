package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxLine bounds a line in both directions.
const maxLine = 1 << 20

// Order asks for one pass over a workload cluster, which afterwards has what the files
// hold. A first installation, one in which nothing changed, an upgrade and a repair are all
// ordered in the same way: which it is, the program has to find out.
type Order struct {
	// Kubeconfig is the path of the kubeconfig of the workload cluster.
	Kubeconfig string
	// Version is that of the release. It has to be a semantic version.
	Version string
	// Files are the paths of the manifests of the release, CRDs first.
	Files []string
	// Within is the time that the pass may take.
	Within time.Duration
}

// Report is the response to an Order.
type Report struct {
	// Error is what went wrong, if anything did.
	Error string `json:",omitempty"`
	// Notes are what a reader of the figures has to know, such as what was left out.
	Notes []string `json:",omitempty"`
}

// Pass does what an Order asks for, and returns the notes of the Report.
type Pass func(context.Context, Order) ([]string, error)

// Main serves the orders on standard input and ends the program, with an error if the
// benchmark cannot be understood. What the libraries print goes to standard error.
func Main(name string, pass Pass) {
	out := os.Stdout
	os.Stdout = os.Stderr // a report is the only thing that is written there
	if err := Serve(context.Background(), os.Stdin, out, pass); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Serve reports each order that it reads until there are no more. It returns an error if one
// cannot be read or a report cannot be written. That a pass fails is no such error.
func Serve(ctx context.Context, in io.Reader, out io.Writer, pass Pass) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		order := Order{}
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			return fmt.Errorf("order: %w", err)
		}
		if err := json.NewEncoder(out).Encode(serve(ctx, order, pass)); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return lines.Err()
}

func serve(ctx context.Context, order Order, pass Pass) Report {
	ctx, cancel := context.WithTimeout(ctx, order.Within)
	defer cancel()
	notes, err := pass(ctx, order)
	if err != nil {
		return Report{Error: err.Error(), Notes: notes}
	}
	return Report{Notes: notes}
}

// err is the error of the report.
func (r Report) err() error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}
