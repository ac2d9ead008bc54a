package web

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

var update = flag.Bool("update", false, "write bundle.js anew")

//go:generate go test -run ^TestBundle$ -update

// bundle puts the modules of the page together as one, and changes nothing else about
// them. esbuild does it: it knows all of the language, and only tests link it.
func bundle(t *testing.T) []byte {
	t.Helper()
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{"page/app.js"},
		Bundle:      true,
		Format:      api.FormatESModule,
		Target:      api.ES2022, // the language of the modules
		Charset:     api.CharsetUTF8,
		Banner:      map[string]string{"js": "// Made from the modules in page by go generate. Change those."},
	})
	for _, m := range append(result.Errors, result.Warnings...) {
		t.Fatalf("%+v: %s", m.Location, m.Text)
	}
	return result.OutputFiles[0].Contents
}

// TestBundle compares bundle.js with the modules.
func TestBundle(t *testing.T) {
	want := bundle(t)
	if *update {
		if err := os.WriteFile("bundle.js", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("bundle.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("bundle.js is not made from the modules as they are: run go generate ./cmd/hawser/internal/web")
	}
}
