package identity

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
)

var users = Map{
	"uri:spiffe://example/ada": "u_ada",
	"dns:ada.example":          "u_ada",
	"email:bob@example.org":    "u_bob",
	"dns:admin":                "u_admin",
}

// names makes the extension as it is, without x509's help.
func names(t *testing.T, list ...asn1.RawValue) *x509.Certificate {
	t.Helper()
	der, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{ExtraExtensions: []pkix.Extension{{Id: subjectAltName, Value: der}}}
}

func name(tag int, text string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(text)}
}

// T07: a certificate stands for a user by a name of its subjectAltName that is
// exactly the configured one; not by its subject, and not by one that looks or
// means the same.
func TestT07ExactName(t *testing.T) {
	ca := certtest.New(t, "clients")
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	const refused = ""
	for _, c := range []struct {
		name     string
		template *x509.Certificate
		user     string
	}{
		{"URI", &x509.Certificate{URIs: uri("spiffe://example/ada")}, "u_ada"},
		{"DNS", &x509.Certificate{DNSNames: []string{"other.example", "ada.example"}}, "u_ada"},
		{"email", &x509.Certificate{EmailAddresses: []string{"bob@example.org"}}, "u_bob"},
		{"two names of one user", &x509.Certificate{DNSNames: []string{"ada.example"}, URIs: uri("spiffe://example/ada")}, "u_ada"},
		{"names of two users", &x509.Certificate{DNSNames: []string{"ada.example"}, EmailAddresses: []string{"bob@example.org"}}, refused},

		{"no name", &x509.Certificate{}, refused},
		{"only the common name", &x509.Certificate{Subject: pkix.Name{CommonName: "ada.example"}}, refused},
		{"CN=admin,O=x", &x509.Certificate{Subject: pkix.Name{CommonName: "admin", Organization: []string{"x"}}}, refused},
		{"O=x,CN=admin", &x509.Certificate{RawSubject: reordered(t)}, refused},
		{"another form", &x509.Certificate{EmailAddresses: []string{"ada.example"}}, refused},
		{"an address", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, refused},
		{"upper case", &x509.Certificate{DNSNames: []string{"ADA.example"}}, refused},
		{"a trailing dot", names(t, name(2, "ada.example.")), refused},
		{"a wildcard", &x509.Certificate{DNSNames: []string{"*.example"}}, refused},
		{"a longer name", &x509.Certificate{DNSNames: []string{"ada.example.evil.example"}}, refused},
		{"a shorter name", &x509.Certificate{DNSNames: []string{"example"}}, refused},
		{"lookalike in punycode", &x509.Certificate{DNSNames: []string{"xn--da-7kc.example"}}, refused}, // Cyrillic а
		{"a slash more", &x509.Certificate{URIs: uri("spiffe://example/ada/")}, refused},
		{"scheme in upper case", names(t, name(6, "SPIFFE://example/ada")), refused},
		{"percent encoding", names(t, name(6, "spiffe://example/%61da")), refused},
		{"the form inside the name", names(t, name(2, "dns:ada.example")), refused},
	} {
		cert := ca.Client(c.template).Leaf
		got, err := users.User(cert)
		if got != c.user || (err == nil) != (c.user != refused) {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.user)
		}
	}
}

// reordered is the subject O=x,CN=admin, in the order that crypto/x509 does not make.
func reordered(t *testing.T) []byte {
	t.Helper()
	attribute := func(last int, value string) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, last}, Value: value}}
	}
	der, err := asn1.Marshal(pkix.RDNSequence{attribute(3, "admin"), attribute(10, "x")})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestErrorsNameTheNames(t *testing.T) {
	ca := certtest.New(t, "clients")
	_, err := users.User(ca.Client(&x509.Certificate{DNSNames: []string{"eve.example"}}).Leaf)
	if err == nil || !strings.Contains(err.Error(), `"dns:eve.example"`) || !strings.Contains(err.Error(), "tls_identities") {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	cert := names(t, name(1, "a@b"), name(2, "c"), name(6, "d:e"), name(7, "\x7f\x00\x00\x01"))
	got, err := Names(certtest.New(t, "clients").Client(cert).Leaf)
	if diff := cmp.Diff([]string{"email:a@b", "dns:c", "uri:d:e"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestCheckName(t *testing.T) {
	for name := range users {
		if err := CheckName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "ada.example", "dns:", "cn:ada", "DNS:ada", "dns:ada example", "dns:аda.example", "uri:a\n"} {
		if CheckName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
