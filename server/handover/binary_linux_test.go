package handover

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBinaryThatOthersCanReplace(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "a", "b", "program")
	link := filepath.Join(home, "links", "current")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	must(os.MkdirAll(filepath.Dir(link), 0o755))
	must(os.WriteFile(path, nil, 0o755))
	must(os.Symlink("../a/b/program", link))
	check := func(name, path, says string) {
		t.Helper()
		switch err := checkBinary(path); {
		case says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%s: %v; want %q", name, err, says)
		}
	}
	mode := func(name, path string, mode fs.FileMode, says string) {
		t.Helper()
		info, err := os.Stat(path)
		must(err)
		must(os.Chmod(path, mode))
		check(name, filepath.Join(home, "a", "b", "program"), says)
		check(name+", by a link", link, says)
		must(os.Chmod(path, info.Mode()))
	}
	check("as it should be", path, "")
	check("by a link", link, "")
	check("relative", "program", "is not absolute")
	check("not there", path+"2", "no such file")
	check("a folder", filepath.Dir(path), "is not a file")
	mode("file of a group", path, 0o775, "is writable by others")
	mode("file of all", path, 0o757, "is writable by others")
	mode("folder of all", filepath.Dir(path), 0o777, "is writable by others")
	mode("sticky folder of all", filepath.Dir(path), 0o777|fs.ModeSticky, "is writable by others")
	mode("folder above, of all", filepath.Join(home, "a"), 0o777, "is writable by others")
	mode("folder above, of all, sticky", filepath.Join(home, "a"), 0o777|fs.ModeSticky, "")

	must(os.Chmod(filepath.Dir(link), 0o777))
	check("link in a folder of all", link, "is writable by others")
	check("but not on the way", path, "")
	must(os.Chmod(filepath.Dir(link), 0o755))

	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for _, owned := range []string{path, filepath.Dir(path), filepath.Join(home, "a")} {
		must(os.Chown(owned, 12345, 0))
		check("owner of "+owned, path, "belongs to user 12345")
		must(os.Chown(owned, 0, 0))
	}
	must(os.Lchown(link, 12345, 0))
	check("in the end", path, "")
}

func TestExecutable(t *testing.T) {
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(itself, link); err != nil {
		t.Fatal(err)
	}
	defer func(args []string) { os.Args = args }(os.Args)
	for name, want := range map[string]string{link: link, "/bin/sh": itself, "no-such-program": itself, "": itself} {
		os.Args = []string{name}
		if got, err := Executable(); got != want || err != nil {
			t.Errorf("started as %q: %q, %v", name, got, err)
		}
	}
}
