package main

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// chapter is a document of the repository as a page of the handbook.
type chapter struct {
	Source string // its path in the repository
	Page   string // its path in the site
	Title  string
	Body   template.HTML
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// handbook writes a page for each document of the repository, the README first.
func (s *site) handbook() (list []chapter, err error) {
	sources, err := documents(s.root)
	if err != nil {
		return nil, err
	}
	for _, source := range sources {
		name := strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(source, ".md"), "/", "-"))
		list = append(list, chapter{Source: source, Page: "handbook/" + name + ".html"})
	}
	for i := range list {
		if err := s.translate(&list[i], list); err != nil {
			return nil, err
		}
		if err := s.render(list[i].Page, "page.html", list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// documents are the Markdown files below root, by their paths with slashes.
func documents(root string) (list []string, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || name == "testdata" || name == "dist" || strings.HasPrefix(name, ".") && p != root):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".md"):
			rel, err := filepath.Rel(root, p)
			list = append(list, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	slices.SortFunc(list, func(a, b string) int {
		if (a == "README.md") != (b == "README.md") {
			if a == "README.md" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return list, err
}

// translate makes a chapter's title and body of its document.
func (s *site) translate(c *chapter, all []chapter) error {
	source, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(c.Source)))
	if err != nil {
		return err
	}
	doc := markdown.Parser().Parse(text.NewReader(source))
	c.Title = c.Source
	if h, ok := doc.FirstChild().(*ast.Heading); ok {
		c.Title = string(h.Lines().Value(source))
	}
	if err := s.relink(doc, source, c, all); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, source, doc); err != nil {
		return err
	}
	c.Body = template.HTML(b.String())
	return nil
}

// relink makes a document's links lead to the pages of other documents, and copies
// its pictures. Links to files that are not in the site become plain text.
func (s *site) relink(doc ast.Node, source []byte, c *chapter, all []chapter) error {
	var plain []ast.Node
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.AutoLink:
			plain = append(plain, n)
		case *ast.Link:
			to, ok := destination(string(n.Destination), c, all)
			if !ok {
				plain = append(plain, n)
			}
			n.Destination = []byte(to)
		case *ast.Image:
			from := path.Join(path.Dir(c.Source), string(n.Destination))
			name := "pictures/" + strings.ReplaceAll(from, "/", "-")
			n.Destination = []byte("../" + name)
			return ast.WalkContinue, s.copy(name, filepath.Join(s.root, filepath.FromSlash(from)))
		}
		return ast.WalkContinue, nil
	})
	for _, n := range plain {
		unlink(n, source)
	}
	return err
}

// destination is where a link of a chapter leads within the site.
func destination(to string, c *chapter, all []chapter) (string, bool) {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" {
		return "", false
	}
	if u.Path == "" {
		return to, true
	}
	target := path.Join(path.Dir(c.Source), u.Path)
	for _, other := range all {
		if other.Source == target {
			u.Path = path.Base(other.Page)
			return u.String(), true
		}
	}
	return "", false
}

// unlink puts what a link shows in its place.
func unlink(n ast.Node, source []byte) {
	parent := n.Parent()
	if auto, ok := n.(*ast.AutoLink); ok {
		parent.ReplaceChild(parent, n, ast.NewString(auto.Label(source)))
		return
	}
	for child := n.FirstChild(); child != nil; child = n.FirstChild() {
		parent.InsertBefore(parent, n, child)
	}
	parent.RemoveChild(parent, n)
}
