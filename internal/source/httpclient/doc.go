// Package httpclient holds what all downloads over HTTP have in common: how
// connections are made, which redirects are followed, what a status means, when a
// body ends early, and how an error of the network reads.
//
//	NewTransport -> Redirects.Follow -> status -> NewBody
//	                      |               |          |
//	                 Sanitize, AtRedirect        StatusError    ErrStalled, ErrSlow, CutOff
//
// The package knows neither files nor registries: the caller builds the requests,
// decides which statuses are a success, holds the credentials, and bounds the size. No
// request goes through a http.Client, whose errors hold URLs, and that follows
// redirects by other rules. Nothing is tried again.
//
// Messages are the same the next time, and hold no path, query or userinfo of a
// URL, and no words of a server but for a text of bounded length where the
// network library repeats them.
package httpclient
