// Package auth makes and reads the tokens of the chat: JSON Web Tokens, signed with
// a key that lives in the data folder.
//
// It knows who somebody claims to be, and nothing of what they may do. That a
// token's user exists is checked by package chat; a token from another data folder
// fails already by its signature.
//
// Read key.go for the key file, token.go for the tokens.
package auth
