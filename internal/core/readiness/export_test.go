package readiness

import "time"

// WithLimit returns the expression with another limit on the time of an evaluation.
func WithLimit(e *Expression, limit time.Duration) *Expression {
	with := *e
	with.limit = limit
	return &with
}
