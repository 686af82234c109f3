//go:build !no_helm

package helm

import (
	"errors"
	"maps"
	"slices"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// failure is why a function that a template called gave an error.
type failure struct {
	// function is the one that was called.
	function string
	// message that the template gave to fail or required.
	message string
	// err is an error of a function of this package, nil for fail and required.
	err error
}

// calls are the functions that take the place of Helm's in one rendering.
type calls struct {
	// failure is the last one. A template cannot go on after an error.
	failure *failure
	// random is what becomes of the functions that vary.
	random Random
	// placeholders are what those give in place of what varies.
	placeholders *placeholders
}

var errNoDate = errors.New("takes the time of the day for what is no date" + wayOut)

// functions returns the functions that differ from Helm's.
func (c *calls) functions() template.FuncMap {
	all := template.FuncMap{
		"fail":     c.fail,
		"required": c.required,
		"keys":     sortedKeys,
		"values":   sortedValues,
	}
	maps.Copy(all, c.dates())
	maps.Copy(all, c.varyingFunctions())
	return all
}

// dates returns the functions that write a date.
func (c *calls) dates() template.FuncMap {
	return template.FuncMap{
		"date":         c.dateIn("date"),
		"htmlDate":     func(date any) (string, error) { return c.dateIn("htmlDate")("2006-01-02", date) },
		"dateInZone":   c.dateInZone("dateInZone"),
		"date_in_zone": c.dateInZone("date_in_zone"),
		"htmlDateInZone": func(date any, zone string) (string, error) {
			return c.dateInZone("htmlDateInZone")("2006-01-02", date, zone)
		},
	}
}

func (c *calls) failed(function string, err error) error {
	c.failure = &failure{function: function, err: err}
	return err
}

func (c *calls) fail(message string) (string, error) {
	c.failure = &failure{function: "fail", message: message}
	return "", errors.New("fail")
}

// required returns value unless it is missing or an empty string, as Helm does.
func (c *calls) required(message string, value any) (any, error) {
	if value != nil && value != "" {
		return value, nil
	}
	c.failure = &failure{function: "required", message: message}
	return nil, errors.New("required")
}

// sortedKeys is keys with an order.
func sortedKeys(mappings ...map[string]any) []string {
	var all []string
	for _, mapping := range mappings {
		all = append(all, slices.Sorted(maps.Keys(mapping))...)
	}
	return all
}

// sortedValues is values in the order of their keys.
func sortedValues(mapping map[string]any) []any {
	all := make([]any, 0, len(mapping))
	for _, key := range slices.Sorted(maps.Keys(mapping)) {
		all = append(all, mapping[key])
	}
	return all
}

// dateIn returns the function that writes a date in the zone of the process.
func (c *calls) dateIn(function string) func(layout string, date any) (string, error) {
	return func(layout string, date any) (string, error) {
		return c.dateInZone(function)(layout, date, "Local")
	}
}

// dateInZone returns the function that writes a date in a zone. That of sprig
// takes the current time for a value that is no date.
func (c *calls) dateInZone(function string) func(layout string, date any, zone string) (string, error) {
	inZone, _ := sprig.TxtFuncMap()["dateInZone"].(func(string, any, string) string)
	return func(layout string, date any, zone string) (string, error) {
		switch date.(type) {
		case time.Time, *time.Time, int, int32, int64:
			return inZone(layout, date, zone), nil
		}
		switch c.random {
		case TrueRandom:
			return inZone(layout, date, zone), nil
		case PlaceholderRandom:
			return inZone(layout, placeholderTime, zone), nil
		case RefuseRandom:
		}
		return "", c.failed(function, errNoDate)
	}
}
