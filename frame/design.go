package frame

// How the package works, for those who change it. doc.go is for its users.
//
// Read opcode.go for the vocabulary, header.go for the header, mask.go for the masking.
