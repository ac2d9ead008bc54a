// Package identity says which user a client certificate stands for.
//
// Only the names in the certificate's subjectAltName count, compared byte for byte. The subject
// with its common name is ignored: it is free text, and has been mistaken for a name too often.
package identity

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Map maps a name ("dns:", "uri:" or "email:" followed by the exact text in the certificate)
// to a user id.
type Map map[string]string

// The forms of names, by the tag of a GeneralName (RFC 5280 4.2.1.6):
//
//	GeneralName ::= CHOICE {
//	     rfc822Name                 [1]  IA5String,
//	     dNSName                    [2]  IA5String,
//	     uniformResourceIdentifier  [6]  IA5String, … }
var forms = map[int]string{1: "email:", 2: "dns:", 6: "uri:"}

// CheckName reports whether name can be a key of a Map.
func CheckName(name string) error {
	for _, form := range forms {
		if rest, ok := strings.CutPrefix(name, form); ok {
			for _, c := range []byte(rest) {
				if c <= ' ' || c > '~' {
					return errors.New("contains characters that names in certificates cannot have: they are ASCII without spaces")
				}
			}
			if rest != "" {
				return nil
			}
		}
	}
	return errors.New("does not begin with dns:, uri: or email:, followed by a name")
}

// User returns the user of a verified certificate. It is an error if none of its names is in
// the map, or if two of them are mapped to different users.
func (m Map) User(cert *x509.Certificate) (string, error) {
	names, err := Names(cert)
	if err != nil {
		return "", err
	}
	user := ""
	for _, name := range names {
		switch u := m[name]; {
		case u == "" || u == user:
		case user != "":
			return "", fmt.Errorf("the client certificate stands for two users, %s and %s", user, u)
		default:
			user = u
		}
	}
	if user == "" {
		return "", fmt.Errorf("the client certificate stands for no user: none of its names %q is in tls_identities", names)
	}
	return user, nil
}

var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// Names returns the names in a certificate, in the form of a Map's keys. It reads them from the
// certificate's bytes, because x509.Certificate parses URIs, which changes some.
func Names(cert *x509.Certificate) ([]string, error) {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(subjectAltName) })
	if i < 0 {
		return nil, nil
	}
	var list []asn1.RawValue
	if rest, err := asn1.Unmarshal(cert.Extensions[i].Value, &list); err != nil || len(rest) > 0 {
		return nil, errors.New("the client certificate's subjectAltName cannot be read") // x509 has read it
	}
	var names []string
	for _, name := range list {
		if form, ok := forms[name.Tag]; ok && name.Class == asn1.ClassContextSpecific {
			names = append(names, form+string(name.Bytes))
		}
	}
	return names, nil
}
