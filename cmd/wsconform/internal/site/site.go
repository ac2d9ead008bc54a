package main

import (
	"bytes"
	"embed"
	"html/template"
	"os"
	"path/filepath"
)

//go:embed home.html page.html style.css
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func() (template.CSS, error) {
		b, err := files.ReadFile("style.css")
		return template.CSS(b), err
	},
}).ParseFS(files, "*.html"))

// site is what the site is made of, and where.
type site struct {
	root, results, bench string // directories to read
	out                  string // the directory to write
	version, date        string
}

// home is what the page of contents shows.
type home struct {
	Version, Date string
	Conformance   []conformance
	Bench         string   // the benchmark's page; "" for none
	Plots         []string // pictures
	Handbook      []chapter
}

// make writes all pages, the one with the contents last.
func (s *site) make() error {
	h := home{Version: s.version, Date: s.date}
	var err error
	if h.Conformance, err = s.conformance(); err != nil {
		return err
	}
	if h.Bench, h.Plots, err = s.benchmark(); err != nil {
		return err
	}
	if h.Handbook, err = s.handbook(); err != nil {
		return err
	}
	return s.render("index.html", "home.html", h)
}

// render writes a page from a template.
func (s *site) render(name, from string, data any) error {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, from, data); err != nil {
		return err
	}
	return s.write(name, b.Bytes())
}

func (s *site) write(name string, content []byte) error {
	path := filepath.Join(s.out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// copy copies a file into the site.
func (s *site) copy(name, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return s.write(name, content)
}
