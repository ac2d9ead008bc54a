package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
)

// benchmark copies the page and the plots of the benchmark's last run, or otherwise the
// plots that the README shows.
func (s *site) benchmark() (page string, plots []string, err error) {
	switch err := s.copy("bench/index.html", filepath.Join(s.bench, "index.html")); {
	case err == nil:
		page = "bench/index.html"
	case !errors.Is(err, fs.ErrNotExist):
		return "", nil, err
	}
	found, err := filepath.Glob(filepath.Join(s.bench, "*.svg"))
	if err == nil && len(found) == 0 {
		found, err = filepath.Glob(filepath.Join(s.root, "cmd", "wsbench", "plots", "*.svg"))
	}
	slices.Sort(found)
	for _, from := range found {
		name := "bench/" + filepath.Base(from)
		if err := s.copy(name, from); err != nil {
			return "", nil, err
		}
		plots = append(plots, name)
	}
	return page, plots, err
}
