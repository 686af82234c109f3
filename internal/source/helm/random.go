//go:build !no_helm

package helm

import (
	"errors"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// varying are the functions whose result differs from call to call.
var varying = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert",
	"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha",
	"randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
}

// wayOut ends the message of a function that is refused.
const wayOut = ": turn it off by the values, or set randomFunctions: PerCluster in the source"

var errVaries = errors.New("gives another result with every call" + wayOut)

// varyingFunctions returns the functions that vary, as they are to be.
func (c *calls) varyingFunctions() template.FuncMap {
	all := make(template.FuncMap, len(varying))
	var functions template.FuncMap
	switch c.random {
	case TrueRandom:
		functions = sprig.TxtFuncMap()
	case PlaceholderRandom:
		functions = c.placeholders.functions()
	case RefuseRandom:
		for _, name := range varying {
			all[name] = func(...any) (string, error) { return "", c.failed(name, errVaries) }
		}
		return all
	}
	for _, name := range varying {
		all[name] = functions[name]
	}
	return all
}
