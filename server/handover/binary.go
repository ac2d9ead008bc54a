package handover

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// variable tells the new process which descriptor is the channel.
const variable = "HAWSER_HANDOVER_FD"

// IsVariable reports whether an entry of an environment is what Start adds to it.
func IsVariable(entry string) bool { return strings.HasPrefix(entry, variable+"=") }

// Executable returns the absolute path of this program, for Config.Path. It must be called
// when the program starts, because later the working directory or the file may be another one.
//
// It is the path by which the program was started, with the symbolic links in it as they
// are, so that a link that is changed to a new version leads to that. If that is not this
// program, because its parent may have chosen any name, it is the path that the system knows.
func Executable() (string, error) {
	itself, err := os.Executable()
	if err != nil {
		return "", err
	}
	named, err := exec.LookPath(os.Args[0])
	if err != nil {
		return itself, nil
	}
	if named, err = filepath.Abs(named); err != nil {
		return itself, nil
	}
	a, err := os.Stat(itself)
	if err != nil {
		return itself, nil
	}
	if b, err := os.Stat(named); err != nil || !os.SameFile(a, b) {
		return itself, nil
	}
	return named, nil
}
