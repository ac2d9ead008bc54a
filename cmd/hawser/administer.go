package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// adminFlags ends the help of every command that acts on a running server.
const adminFlags = `
The server needs admin_listen and admin_keys_file. Your key is in the variable
HAWSER_ADMIN_KEY, or in the file that --key-file names.

  --admin ADDR     where the server answers: http://HOST:PORT, https://HOST:PORT or
                   unix:PATH; default: admin_listen of the configuration, or
                   http://127.0.0.1:9090
  --config FILE    configuration of the server, for its admin_listen
  --key-file FILE  file with your key and nothing else
`

const banUsage = `usage: hawser ban SUBJECT --reason TEXT [--for 10m] [flags]

Bans a user (u_…), an address or a network such as 192.0.2.0/24, on all nodes. Who is
concerned is disconnected within a second. Of an IPv6 address the /64 network is
banned. Without --for, the ban is in force until "hawser unban SUBJECT". A ban
replaces an earlier one of the same subject.
` + adminFlags

const unbanUsage = `usage: hawser unban SUBJECT [--reason TEXT] [flags]

Lifts the ban of a user, an address or a network, on all nodes.
` + adminFlags

const bansUsage = `usage: hawser bans [--json] [flags]

Lists all bans in force, with their end, who has banned, and why. --json prints them
as one JSON array.
` + adminFlags

const kickUsage = `usage: hawser kick USER [--reason TEXT] [flags]

Ends all sessions of a user, and closes their connections, on all nodes. The user may
log in again.
` + adminFlags

const limitsUsage = `usage: hawser limits [--json] [flags]

Lists the limits of the server that answers: the setting, its value, how often it has
refused something or has made somebody wait since the server started, and the metric
that counts that. Limits that name the same metric are counted together; those with a
dash are not counted. --json prints them as one JSON array.
` + adminFlags

// ban runs "hawser ban".
func ban(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	o, err := parseAdmin("ban", banUsage, 1, args, environ, "reason", "for")
	if err != nil {
		return err
	}
	d, err := o.duration()
	if err != nil {
		return err
	}
	if o.reason == "" {
		return &usageError{errors.New("ban: --reason is missing: it is shown to other administrators, and kept in the audit log")}
	}
	a, err := o.client.Ban(ctx, o.args[0], o.reason, d)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hawser: %s is banned %s\n", a.Subject, until(&a.Ban))
	for _, w := range a.Warnings {
		fmt.Fprintln(stderr, "hawser: warning:", w)
	}
	return nil
}

// unban runs "hawser unban".
func unban(ctx context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseAdmin("unban", unbanUsage, 1, args, environ, "reason")
	if err != nil {
		return err
	}
	a, err := o.client.Unban(ctx, o.args[0], o.reason)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hawser: %s is no longer banned\n", a.Subject)
	return nil
}

// bans runs "hawser bans".
func bans(ctx context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseAdmin("bans", bansUsage, 0, args, environ, "json")
	if err != nil {
		return err
	}
	list, err := o.client.Bans(ctx, 0)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(stdout, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(stdout, "hawser: nobody is banned")
		return nil
	}
	return printTable(stdout, "SUBJECT\tSINCE\tUNTIL\tBY\tREASON", func(w io.Writer) {
		for _, b := range list {
			end := "lifted"
			if b.Until > 0 {
				end = moment(b.Until)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.Subject(), moment(b.Since), end, orDash(b.By), b.Reason)
		}
	})
}

// kick runs "hawser kick".
func kick(ctx context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseAdmin("kick", kickUsage, 1, args, environ, "reason")
	if err != nil {
		return err
	}
	a, err := o.client.Kick(ctx, o.args[0], o.reason)
	if err != nil {
		return err
	}
	if a.Sessions == 0 {
		fmt.Fprintf(stdout, "hawser: %s was not logged in\n", a.User)
		return nil
	}
	fmt.Fprintf(stdout, "hawser: %s of %s ended\n", plural(uint64(a.Sessions), "session"), a.User)
	return nil
}

// limits runs "hawser limits".
func limits(ctx context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseAdmin("limits", limitsUsage, 0, args, environ, "json")
	if err != nil {
		return err
	}
	list, err := o.client.Limits(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(stdout, list)
	}
	return printTable(stdout, "SETTING\tVALUE\tREFUSED\tDELAYED\tCOUNTED BY", func(w io.Writer) {
		for _, l := range list {
			refused, delayed := "-", "-"
			if l.Counter != "" {
				refused, delayed = fmt.Sprint(l.Refused), fmt.Sprint(l.Delayed)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Setting, l.Value, refused, delayed, orDash(l.Counter))
		}
	})
}

// printTable prints rows of cells that are separated by tabs. What could disturb a terminal is
// escaped.
func printTable(stdout io.Writer, header string, rows func(w io.Writer)) error {
	w := tabwriter.NewWriter(terminal.NewWriter(stdout), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, header)
	rows(w)
	return w.Flush()
}

// printJSON prints a list, which is [] if it is empty.
func printJSON[T any](stdout io.Writer, list []T) error {
	if list == nil {
		list = []T{}
	}
	enc := json.NewEncoder(terminal.NewFileWriter(stdout))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

// until says how long a ban is in force.
func until(b *chat.Ban) string {
	if b.Until == 0 {
		return "until \"hawser unban " + b.Subject() + "\""
	}
	return "until " + moment(b.Until)
}

// moment is a time in ms since 1970, for people.
func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
