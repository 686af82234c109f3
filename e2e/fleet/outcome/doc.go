// Package outcome holds what runs of the fleet measured, and writes it: as JSON, as tables in
// Markdown, and beside the goals. It measures nothing itself, and a part that was not measured
// is absent from what it writes.
package outcome
