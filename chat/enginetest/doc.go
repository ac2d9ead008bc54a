// Package enginetest tests that a chat.Engine keeps its documented contract. An
// engine's own tests call Run.
//
// Read enginetest.go for the list of tests, and the file named after what they are
// about.
package enginetest
