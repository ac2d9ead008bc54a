// Package report prints results: index.json in the shape that tools for the
// original suite parse, JUnit XML, self-contained pages, and baselines.
//
// Read index.go, html.go, junit.go and baseline.go in any order.
package report
