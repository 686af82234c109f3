//go:build !no_helm

package helm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
	"sync"
	"text/template"
	"time"
)

// placeholders give what functions that vary give in Helm, in the same form, and the same
// in every rendering. No two texts of one rendering are equal: a chart may make names of
// them.
type placeholders struct{ random *rand.Rand }

func newPlaceholders() *placeholders {
	return &placeholders{rand.New(rand.NewPCG(1, 2))} //nolint:gosec // not for secrets: nothing of it gets into a cluster
}

// placeholderTime is when placeholders are made.
var placeholderTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// certificate is what the functions for certificates give.
type certificate struct{ Cert, Key string }

const (
	numbers      = "0123456789"
	letters      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphanumeric = letters + numbers
)

// functions returns the functions that vary, with the arguments that they have in Helm.
func (p *placeholders) functions() template.FuncMap {
	return template.FuncMap{
		"ago":                      func(any) string { return "0s" },
		"bcrypt":                   func(string) string { return p.bcrypt() },
		"encryptAES":               p.encryptAES,
		"genCA":                    func(string, int) certificate { return placeholderPair() },
		"genCAWithKey":             func(string, int, string) certificate { return placeholderPair() },
		"genPrivateKey":            func(string) string { return placeholderPair().Key },
		"genSelfSignedCert":        func(string, []any, []any, int) certificate { return placeholderPair() },
		"genSelfSignedCertWithKey": func(string, []any, []any, int, string) certificate { return placeholderPair() },
		"genSignedCert":            func(string, []any, []any, int, any) certificate { return placeholderPair() },
		"genSignedCertWithKey":     func(string, []any, []any, int, any, string) certificate { return placeholderPair() },
		"htpasswd":                 func(name, _ string) string { return name + ":" + p.bcrypt() },
		"now":                      func() time.Time { return placeholderTime },
		"randAlpha":                func(count int) string { return p.text(count, letters) },
		"randAlphaNum":             func(count int) string { return p.text(count, alphanumeric) },
		"randAscii":                func(count int) string { return p.text(count, alphanumeric) },
		"randBytes":                func(count int) string { return base64.StdEncoding.EncodeToString([]byte(p.text(count, letters))) },
		"randInt":                  func(low, high int) int { return p.random.IntN(high-low) + low },
		"randNumeric":              func(count int) string { return p.text(count, numbers) },
		"shuffle":                  func(text string) string { return text },
		"uuidv4":                   p.uuid,
	}
}

// text returns characters of an alphabet.
func (p *placeholders) text(count int, alphabet string) string {
	characters := make([]byte, count)
	for i := range characters {
		characters[i] = alphabet[p.random.IntN(len(alphabet))]
	}
	return string(characters)
}

func (p *placeholders) bcrypt() string { return "$2a$10$" + p.text(53, alphanumeric) }

func (p *placeholders) uuid() string {
	hex := func(count int) string { return p.text(count, "0123456789abcdef") }
	return hex(8) + "-" + hex(4) + "-4" + hex(3) + "-8" + hex(3) + "-" + hex(12)
}

// encryptAES gives what decryptAES can read.
func (p *placeholders) encryptAES(password, plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	key := make([]byte, 32)
	copy(key, password)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	content := []byte(plain)
	padding := aes.BlockSize - len(content)%aes.BlockSize
	for range padding {
		content = append(content, byte(padding))
	}
	sealed := append([]byte(p.text(aes.BlockSize, letters)), make([]byte, len(content))...)
	cipher.NewCBCEncrypter(block, sealed[:aes.BlockSize]).CryptBlocks(sealed[aes.BlockSize:], content)
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// placeholderPair returns a certificate and its key that are well-formed, since charts
// and functions read them, and that everybody knows.
var placeholderPair = sync.OnceValue(func() certificate {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "placeholder"},
		NotBefore: placeholderTime, NotAfter: placeholderTime.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
	}
	// Neither can fail with this key.
	signed, _ := x509.CreateCertificate(nil, template, template, key.Public(), key)
	written, _ := x509.MarshalPKCS8PrivateKey(key)
	return certificate{
		Cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		Key:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: written})),
	}
})
