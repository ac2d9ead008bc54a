package ports

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The pages for users of another library name everything that it exports.
func TestPagesNameEveryCall(t *testing.T) {
	for page, packages := range map[string][]string{
		"COMING_FROM_GORILLA.md": {"github.com/gorilla/websocket"},
		"COMING_FROM_CODER.md":   {"github.com/coder/websocket", "github.com/coder/websocket/wsjson"},
	} {
		text, err := os.ReadFile(filepath.Join("../../../../wsproto/wsconn", page))
		if err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(string(text), "## Every call")
		var named []string
		for _, row := range strings.Split(table, "\n| ")[1:] {
			theirs, _, _ := strings.Cut(row, "|")
			named = append(named, regexp.MustCompile(`\w+`).FindAllString(theirs, -1)...)
		}
		for _, path := range packages {
			for _, name := range exported(t, path) {
				if !slices.Contains(named, name) {
					t.Errorf("%s does not name %s of %s", page, name, path)
				}
			}
		}
	}
}

// exported returns what a package exports: constants, variables, functions, types, fields, and
// methods except Error and String.
func exported(t *testing.T, path string) (names []string) {
	t.Helper()
	p, err := build.Import(path, ".", 0)
	if err != nil {
		t.Fatal(err)
	}
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() && !slices.Contains(names, id.Name) {
				names = append(names, id.Name)
			}
		}
	}
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || ast.IsExported(receiver(d)) && d.Name.Name != "Error" && d.Name.Name != "String" {
					add(d.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						add(s.Names...)
					case *ast.TypeSpec:
						add(s.Name)
						if of, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
							for _, f := range of.Fields.List {
								add(f.Names...)
							}
						}
					}
				}
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s exports nothing", path)
	}
	return names
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	of := d.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	return of.(*ast.Ident).Name
}
