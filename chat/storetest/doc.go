// Package storetest proves that a chat.Store keeps the contract written on it. An
// implementation's tests call Run with a way to make a folder; it is not for
// programs.
//
// It knows the interface only, and must never know how anything is stored.
//
// Read storetest.go for the list of tests, and the file named after what they are
// about: commit.go, history.go, lists.go.
package storetest
