// Package enginetest proves that a chat.Engine keeps the contract written on it. An
// engine's own tests call Run.
//
// Read enginetest.go for the list of tests, and the file named after what they are
// about.
package enginetest
