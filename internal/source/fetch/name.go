package fetch

import (
	"net/url"
	"path"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// inlineName names an inline source in messages.
const inlineName = "inline"

// badURL replaces a URL that cannot be parsed: any part of it may be a password, so
// nothing of it is shown.
const badURL = "invalid url"

// Name returns a short name of src for messages: the last element of the URL's
// path, or its host when it has none; the path of a file; or "inline".
func Name(src v1alpha1.Source) string {
	if src.HTTPS == nil {
		return Describe(src)
	}
	u, err := url.Parse(src.HTTPS.URL)
	if err != nil {
		return badURL
	}
	if base := path.Base(u.EscapedPath()); base != "." && base != "/" {
		return base
	}
	return u.Host
}

// Host returns the host of a URL, with its port if it has one; empty for what is no URL.
func Host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Describe returns where the bytes of src come from, for messages: the URL
// without userinfo, query and fragment; the path of a file; or "inline".
func Describe(src v1alpha1.Source) string {
	switch {
	case src.HTTPS != nil:
		u, err := url.Parse(src.HTTPS.URL)
		if err != nil {
			return badURL
		}
		return describeURL(u)
	case src.File != nil:
		return src.File.Path
	case src.Inline != nil:
		return inlineName
	}
	return "empty source"
}

// describeURL returns u without what may be secret.
func describeURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
