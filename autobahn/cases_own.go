package autobahn

// ownCases are what the original suite leaves out.
func ownCases() []*Case { return nil }
