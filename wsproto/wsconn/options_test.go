package wsconn

import (
	"crypto/tls"
	"net/http"
	"net/http/cookiejar"
	"reflect"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/handshake"
)

// AcceptOptions and DialOptions have every field of the options that they combine, and
// lose none.
func TestOptionsAreComplete(t *testing.T) {
	var accept AcceptOptions
	fill(t, reflect.ValueOf(&accept).Elem())
	var dial DialOptions
	fill(t, reflect.ValueOf(&dial).Elem())
	for _, c := range []struct {
		name        string
		whole, part any
	}{
		{"upgrader", accept, *accept.upgrader()},
		{"conn", accept, *accept.conn()},
		{"handshake", dial, *dial.handshake()},
		{"conn", dial, *dial.conn()},
	} {
		whole, part := reflect.ValueOf(c.whole), reflect.ValueOf(c.part)
		for f, got := range part.Fields() {
			want := whole.FieldByName(f.Name)
			if !want.IsValid() || got.IsZero() || !same(got, want) {
				t.Errorf("%T.%s: %s = %v", c.whole, c.name, f.Name, got)
			}
		}
	}
}

// fill sets each field of a struct to a value that is not zero.
func fill(t *testing.T, v reflect.Value) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for f, field := range v.Fields() {
		switch {
		case f.Type.Kind() == reflect.Int, f.Type.Kind() == reflect.Int64:
			field.SetInt(int64(len(f.Name)))
		case f.Type.Kind() == reflect.Bool:
			field.SetBool(true)
		case f.Type.Kind() == reflect.String:
			field.SetString(f.Name)
		case f.Type == reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{f.Name}))
		case f.Type.Kind() == reflect.Func:
			field.Set(reflect.MakeFunc(f.Type, nil))
		case f.Type == reflect.TypeFor[http.Header]():
			field.Set(reflect.ValueOf(http.Header{"A": {"b"}}))
		case f.Type == reflect.TypeFor[http.CookieJar]():
			field.Set(reflect.ValueOf(jar))
		case f.Type == reflect.TypeFor[*tls.Config]():
			field.Set(reflect.ValueOf(&tls.Config{}))
		case f.Type == reflect.TypeFor[*handshake.DeflateOptions]():
			field.Set(reflect.ValueOf(&handshake.DeflateOptions{}))
		case reflect.TypeFor[*strings.Reader]().AssignableTo(f.Type):
			field.Set(reflect.ValueOf(strings.NewReader(f.Name)))
		default:
			t.Fatalf("%s: no value for a %v", f.Name, f.Type)
		}
	}
}

// same compares functions, which == cannot, by their pointers.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Func {
		return a.Type() == b.Type() && a.UnsafePointer() == b.UnsafePointer()
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
