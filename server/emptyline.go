package server

// emptyLines is how many bytes of line ends a connection may still begin with:
// room for two empty lines, as net/http allows after a POST. Zero once something
// else has arrived.
//
// RFC 9112 §2.2: "In the interest of robustness, a server that is expecting to
// receive and parse a request-line SHOULD ignore at least one empty line (CRLF)
// received prior to the request-line." net/http does so only after a POST.
type emptyLines int

const maxEmptyLines emptyLines = 4

// skip returns how many bytes at the beginning of p belong to empty lines.
func (e *emptyLines) skip(p []byte) int {
	n := 0
	for n < len(p) && *e > 0 && (p[n] == '\r' || p[n] == '\n') {
		n++
		*e--
	}
	if n < len(p) {
		*e = 0
	}
	return n
}

// readPastEmptyLines reads, and skips empty lines before the connection's first
// request.
func (a *accepted) readPastEmptyLines(p []byte) (int, error) {
	n, err := a.readConn(p)
	for a.empty > 0 && n > 0 {
		skipped := a.empty.skip(p[:n])
		if n = copy(p, p[skipped:n]); n > 0 || err != nil {
			break
		}
		n, err = a.readConn(p)
	}
	return n, err
}
