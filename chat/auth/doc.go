// Package auth issues and reads the tokens of the chat: JSON Web Tokens, signed with a key in
// the data folder.
//
// It knows which user a token is for, but not what the user may do. Package chat checks that
// the user exists; a token from another data folder already fails by its signature.
//
// Read key.go for the key file, token.go for the tokens.
//
// Other programs with the key can make tokens, too, and name a role in the claim "role", such as
// that of a bot, which has other limits (chat.Limits.Roles). Guests have none. A renewed token
// keeps the role.
package auth
