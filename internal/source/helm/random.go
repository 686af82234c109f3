package helm

import (
	"errors"
	"reflect"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// Random is what becomes of functions whose result differs from call to call, such as
// genCA, randAlphaNum and now.
type Random int

const (
	// RefuseRandom has them refused where a template calls them.
	RefuseRandom Random = iota

	// PlaceholderRandom has them give placeholders of the right form: the same input
	// gives the same bytes, which show what a chart consists of, and which no cluster
	// may get.
	PlaceholderRandom

	// TrueRandom has them give what they give in Helm: no rendering is like another.
	TrueRandom
)

// varying are the functions whose result differs from call to call.
var varying = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert",
	"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha",
	"randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
}

// maxVaried bounds the calls of such functions in one rendering: a key of RSA takes
// seconds.
const maxVaried = 1000

// wayOut ends the message of a function that is refused.
const wayOut = ": turn it off by the values, or set randomFunctions: PerCluster in the source"

var (
	errVaries = errors.New("gives another result with every call" + wayOut)
	errVaried = errors.New("is one of more calls of random functions than a limit allows")
)

// varyingFunctions returns the functions that vary, as they are to be.
func (c *calls) varyingFunctions() template.FuncMap {
	all := make(template.FuncMap, len(varying))
	for _, name := range varying {
		all[name] = func(...any) (string, error) { return "", c.failed(name, errVaries) }
	}
	var functions template.FuncMap
	switch c.random {
	case TrueRandom:
		functions = sprig.TxtFuncMap()
	case PlaceholderRandom:
		functions = c.placeholders.functions()
	case RefuseRandom:
		return all
	}
	for _, name := range varying {
		all[name] = c.bounded(name, functions[name])
	}
	return all
}

// lengthOf names the functions whose argument is the length of a text.
var lengthOf = map[string]bool{
	"randAlpha": true, "randAlphaNum": true, "randAscii": true, "randBytes": true, "randNumeric": true,
}

// bounded returns a function that varies, of the same type, with a limit on its calls
// and on the length of what it makes. Its error is a panic, which a template returns:
// most of them return none.
func (c *calls) bounded(name string, function any) any {
	call := reflect.ValueOf(function)
	return reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		c.varied++
		err := c.ctx.Err()
		switch {
		case err != nil:
		case c.varied > maxVaried:
			err = errVaried
		case lengthOf[name] && args[0].Int() < 0:
			err = errNotGreater
		case lengthOf[name] && args[0].Int() > c.limits.OutputBytes:
			err = errLoop
		}
		if err != nil {
			panic(c.failed(name, err))
		}
		return call.Call(args)
	}).Interface()
}
