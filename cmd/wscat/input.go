package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// input is one message to be sent, or why there are no more.
type input struct {
	message []byte
	err     error
}

// readInput sends the messages in standard input to the channel to, which it closes at
// the end. It stops when done is closed, except while it is blocked in reading r.
func readInput(r io.Reader, o *options, to chan<- input, done <-chan struct{}) {
	defer close(to)
	next := lines(r)
	if o.once {
		next = whole(r, o.binary)
	}
	for {
		message, err := next()
		if err == io.EOF {
			return
		}
		if err == nil && !o.binary {
			err = checkUTF8(message)
		}
		if err != nil {
			err = fmt.Errorf("standard input: %w", err)
		}
		select {
		case to <- input{message, err}:
		case <-done:
			return
		}
		if err != nil {
			return
		}
	}
}

// lines reads r line by line. The last line need not end with a newline.
func lines(r io.Reader) func() ([]byte, error) {
	br := bufio.NewReader(r)
	return func() ([]byte, error) {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 && (err == nil || err == io.EOF) {
			return trimNewline(line), nil
		}
		return nil, err
	}
}

// whole reads all of r as one message, or none if it is empty. The newline that ends a
// text is the shell's and not a part of the message.
func whole(r io.Reader, binary bool) func() ([]byte, error) {
	return func() ([]byte, error) {
		all, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, io.EOF
		}
		if !binary {
			all = trimNewline(all)
		}
		return all, nil
	}
}

func trimNewline(b []byte) []byte {
	if t, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(t, []byte("\r"))
	}
	return b
}

// checkUTF8 returns an error that says where b is not UTF-8.
func checkUTF8(b []byte) error {
	// 5.6: "The "Payload data" is text data encoded as UTF-8."
	if utf8.Valid(b) {
		return nil
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return fmt.Errorf("not UTF-8 at byte %d of %s; --binary sends it as it is", at+1, excerpt(b))
}

// excerpt quotes the beginning of b.
func excerpt(b []byte) string {
	const most = 40
	if len(b) > most {
		return fmt.Sprintf("%q…", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
