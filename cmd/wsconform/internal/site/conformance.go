package main

import (
	"bytes"
	"path/filepath"

	"github.com/hawser-ws/hawser/autobahn/report"
)

// roles are the two matrices.
var roles = []struct{ Folder, Title string }{
	{"servers", "Servers"},
	{"clients", "Clients"},
}

// conformance is a matrix as the contents mention it.
type conformance struct {
	Page, Title string
	Agents      []string
	Cases       int // of the agent with the most of them
}

// conformance writes each matrix with the pages of its agents, to which its cells lead.
func (s *site) conformance() (list []conformance, err error) {
	for _, r := range roles {
		dir := filepath.Join(s.results, r.Folder)
		all, err := report.Read(dir)
		if err != nil {
			return nil, err
		}
		c := conformance{Page: r.Folder + "/index.html", Title: r.Title, Agents: all.Agents()}
		if len(c.Agents) == 0 {
			continue
		}
		for _, agent := range c.Agents {
			c.Cases = max(c.Cases, len(all.Index[agent]))
			page := all.Page(agent)
			if err := s.copy(r.Folder+"/"+page, filepath.Join(dir, page)); err != nil {
				return nil, err
			}
		}
		var matrix bytes.Buffer
		if err := all.Matrix(&matrix, "Conformance: "+r.Title, "../index.html"); err != nil {
			return nil, err
		}
		if err := s.write(c.Page, matrix.Bytes()); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}
