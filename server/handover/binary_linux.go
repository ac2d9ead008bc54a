package handover

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkBinary makes sure that nobody but root and this user can have put the program where
// it is: neither the file, nor a link on the way to it, nor any of the folders. A folder above
// these may be writable by others if it is sticky, as /tmp is: they cannot rename what is
// not theirs there.
func checkBinary(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("handover: the path of the program, %q, is not absolute", path)
	}
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("handover: the program: %w", err)
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return fmt.Errorf("handover: the program: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("handover: the program %s is not a file", file)
	}
	if err := checkOwned(file, info, false); err != nil {
		return err
	}
	if err := checkFolders(filepath.Dir(file)); err != nil {
		return err
	}
	return checkFolders(filepath.Dir(path))
}

// checkFolders checks a folder and those above it, links not followed: what a link leads to is
// in the resolved path.
func checkFolders(dir string) error {
	for sticky := false; ; sticky = true {
		info, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("handover: the program: %w", err)
		}
		if err := checkOwned(dir, info, sticky); err != nil {
			return err
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil
		}
		dir = above
	}
}

// checkOwned checks one file or folder. With sticky, one that others may write to is accepted if
// it is sticky.
func checkOwned(path string, info fs.FileInfo, sticky bool) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("handover: the owner of %s cannot be told", path)
	}
	if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("handover: %s belongs to user %d: a program is started only if it and its folders belong to root or to this user, %d", path, stat.Uid, os.Geteuid())
	}
	writable := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0
	if writable && !(sticky && info.Mode()&fs.ModeSticky != 0) {
		return fmt.Errorf("handover: %s is writable by others (%v): a program is started only if nobody else can have replaced it", path, info.Mode())
	}
	return nil
}
