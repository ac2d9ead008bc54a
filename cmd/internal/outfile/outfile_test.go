package outfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// files are the names in a directory.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A check leaves no file behind, and existing ones unchanged.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	os.Symlink("old", link)
	os.Symlink("not there yet", dangling)
	loop := filepath.Join(dir, "loop")
	os.Symlink("loop", loop)
	before := files(t, dir)
	for _, c := range []struct {
		path, want string
	}{
		{"", ""},
		{filepath.Join(dir, "new"), ""},
		{old, ""},
		{link, ""},
		{dangling, ""},
		{os.DevNull, ""},
		{"/dev/stdout", ""},
		{dir, "is a directory"},
		{filepath.Join(dir, "none", "x"), "no such file"},
		{filepath.Join(old, "x"), "not a directory"},
		{loop, "too many symbolic links"},
	} {
		err := Check(File{"--json", c.path})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "--json "+c.path+": ")) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	if got := files(t, dir); strings.Join(got, " ") != strings.Join(before, " ") || content(t, old) != "kept" {
		t.Errorf("the check left %q (%q before), and %q in a file", got, before, content(t, old))
	}
	for _, c := range []struct {
		a, b string
		ok   bool
	}{{old, link, false}, {dir + "/x", dir + "/../" + filepath.Base(dir) + "/x", false}, {dir + "/x", dir + "/y", true}, {os.DevNull, os.DevNull, true}, {"", "", true}} {
		if err := Check(File{"--json", c.a}, File{"--html", c.b}); (err == nil) != c.ok {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, what := range []string{"one", "a second one", "3"} {
		if err := (File{"--json", path}).Write(text(what)); err != nil || content(t, path) != what {
			t.Fatalf("%v, %q", err, content(t, path))
		}
	}
	// A link stays, and its target is made; so are permissions kept.
	link := filepath.Join(dir, "link")
	os.Symlink("target", link)
	for _, what := range []string{"new", "newer"} {
		if err := (File{"--json", link}).Write(text(what)); err != nil || content(t, filepath.Join(dir, "target")) != what {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(dir, "target"), 0o600)
	}
	if to, err := os.Readlink(link); err != nil || to != "target" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if info, err := os.Stat(link); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := (File{}).Write(text("nowhere")); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); len(got) != 3 {
		t.Errorf("there are %q", got)
	}
}

// What fails leaves the file that was there, and nothing beside it.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	os.WriteFile(path, []byte("kept"), 0o644)
	broken := errors.New("no figures")
	err := File{"--html", path}.Write(func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) || content(t, path) != "kept" {
		t.Errorf("%v; %q", err, content(t, path))
	}
	err = File{"--html", filepath.Join(dir, "new")}.Write(func(io.Writer) error { return broken })
	if !errors.Is(err, broken) || len(files(t, dir)) != 1 {
		t.Errorf("%v; %q", err, files(t, dir))
	}
}

func TestCheckDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o644)
	for path, want := range map[string]string{"": "", dir: "", dir + "/a/b": "", file: "is not a directory", file + "/a": "not a directory"} {
		err := CheckDir("--out", path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("the check left %q", got)
	}
}
