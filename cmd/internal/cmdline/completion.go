package cmdline

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// Completion writes a script that completes a program's commands and flags in a shell:
// bash, zsh or fish. What follows a flag is completed as a file's name.
func Completion(w io.Writer, shell, program string, commands []string, flags *flag.FlagSet) error {
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	const script = `_%[1]s() {
	local words word=${COMP_WORDS[COMP_CWORD]}
	case $COMP_CWORD:$word in
	*:-*) words="--%[3]s" ;;
	1:*) words="%[2]s" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _%[1]s %[1]s
`
	var err error
	switch shell {
	case "bash", "zsh":
		if shell == "zsh" {
			if _, err = fmt.Fprintln(w, "autoload -U +X bashcompinit && bashcompinit"); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(w, script, program, strings.Join(commands, " "), strings.Join(names, " --"))
	case "fish":
		text := ""
		if len(commands) > 0 {
			text = fmt.Sprintf("complete -c %s -n __fish_use_subcommand -f -a '%s'\n", program, strings.Join(commands, " "))
		}
		for _, name := range names {
			text += fmt.Sprintf("complete -c %s -l %s\n", program, name)
		}
		_, err = io.WriteString(w, text)
	default:
		return &Error{fmt.Errorf("completion is for bash, zsh or fish, not %q", shell)}
	}
	return err
}
