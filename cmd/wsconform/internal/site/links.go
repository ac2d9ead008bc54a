package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/net/html"
)

// link is a reference of one page of the site.
type link struct{ page, to string }

// check returns an error with every reference of the pages in dir that does not lead to
// another file in dir, or to a place that is not there.
func check(dir string) error {
	places := map[string]map[string]bool{} // by file: the ids in it
	var links []link
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		places[p] = map[string]bool{}
		if filepath.Ext(p) != ".html" {
			return nil
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		found, err := references(content, places[p])
		for _, to := range found {
			links = append(links, link{p, to})
		}
		return err
	})
	errs := []error{err}
	for _, l := range links {
		if err := l.resolves(places); err != nil {
			rel, _ := filepath.Rel(dir, l.page)
			errs = append(errs, fmt.Errorf("%s: %q: %w", rel, l.to, err))
		}
	}
	return errors.Join(errs...)
}

// references are what a page refers to. Its ids are added to ids.
func references(page []byte, ids map[string]bool) (list []string, err error) {
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() == io.EOF {
				return list, nil
			}
			return list, z.Err()
		case html.StartTagToken, html.SelfClosingTagToken:
			for _, a := range z.Token().Attr {
				switch a.Key {
				case "id":
					ids[a.Val] = true
				case "href", "src", "srcset", "action", "data", "poster":
					list = append(list, a.Val)
				}
			}
		}
	}
}

func (l link) resolves(places map[string]map[string]bool) error {
	u, err := url.Parse(l.to)
	switch {
	case err != nil:
		return err
	case u.IsAbs() || u.Host != "":
		return errors.New("leads out of the site")
	case strings.HasPrefix(u.Path, "/"):
		return errors.New("is an absolute path")
	}
	target := l.page
	if u.Path != "" {
		target = filepath.Join(filepath.Dir(l.page), filepath.FromSlash(u.Path))
	}
	ids, there := places[target]
	switch {
	case !there:
		return errors.New("there is no such file")
	case u.Fragment != "" && !ids[u.Fragment]:
		return errors.New("there is no such place in the page")
	}
	return nil
}
