package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestReadInput(t *testing.T) {
	lineMode, once := options{}, options{once: true}
	binaryLines, binaryOnce := options{binary: true}, options{binary: true, once: true}
	for _, c := range []struct {
		o     options
		stdin string
		want  []string // "!" for an error
	}{
		{lineMode, "", nil},
		{lineMode, "a\nb\n", []string{"a", "b"}},
		{lineMode, "a\r\n\nb", []string{"a", "", "b"}},
		{lineMode, "ok\nb\xffd\nc\n", []string{"ok", `!standard input: not UTF-8 at byte 2 of "b\xffd"; --binary sends it as it is`}},
		{lineMode, "\xed\xa0\x80\n", []string{`!standard input: not UTF-8 at byte 1 of "\xed\xa0\x80"; --binary sends it as it is`}},
		{lineMode, "\ufffd\n", []string{"\ufffd"}},
		{lineMode, strings.Repeat("a", 1<<20) + "\nb\n", []string{strings.Repeat("a", 1<<20), "b"}},
		{binaryLines, "a\xff\nb", []string{"a\xff", "b"}},
		{once, "", nil},
		{once, "\n", []string{""}},
		{once, "a\nb\n", []string{"a\nb"}},
		{once, "a\n\n", []string{"a\n"}},
		{once, strings.Repeat("a", 50) + "\xc3", []string{
			`!standard input: not UTF-8 at byte 51 of "` + strings.Repeat("a", 40) + `"…; --binary sends it as it is`}},
		{binaryOnce, "a\xff\r\n", []string{"a\xff\r\n"}},
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.stdin), "byte by byte": iotest.OneByteReader(strings.NewReader(c.stdin)),
		} {
			if diff := cmp.Diff(c.want, collect(r, &c.o)); diff != "" {
				t.Errorf("%q %s (-want +got):\n%s", c.stdin[:min(len(c.stdin), 20)], name, diff)
			}
		}
	}
}

// A read that fails sends no half line, and no half message.
func TestReadInputFails(t *testing.T) {
	for _, c := range []struct {
		o    options
		want []string
	}{
		{options{}, []string{"a", "!standard input: broken"}},
		{options{once: true}, []string{"!standard input: broken"}},
	} {
		r := io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errors.New("broken")))
		if diff := cmp.Diff(c.want, collect(r, &c.o)); diff != "" {
			t.Errorf("once %v (-want +got):\n%s", c.o.once, diff)
		}
	}
}

func collect(r io.Reader, o *options) (got []string) {
	inputs := make(chan input)
	go readInput(r, o, inputs, nil)
	for in := range inputs {
		if in.err != nil {
			got = append(got, "!"+in.err.Error())
		} else {
			got = append(got, string(in.message))
		}
	}
	return got
}
