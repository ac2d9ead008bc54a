package frame

func init() { twins["portable"] = maskPortable }
