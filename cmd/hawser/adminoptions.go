package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

const (
	defaultAdmin = "http://127.0.0.1:9090"
	adminKeyName = "HAWSER_ADMIN_KEY"
)

// adminOptions are the options of the commands that act on a running server.
type adminOptions struct {
	client *adminapi.Client
	args   []string

	reason, lasts string
	json          bool
}

// parseAdmin reads the command line of a command that acts on a running server and takes n
// arguments. extra names the flags that it has beside those of all of them. Flags may be before
// and after the arguments.
func parseAdmin(name, usage string, n int, args, environ []string, extra ...string) (o adminOptions, err error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	address, file, keyFile := f.String("admin", "", ""), f.String("config", "", ""), f.String("key-file", "", "")
	if slices.Contains(extra, "reason") {
		f.StringVar(&o.reason, "reason", "", "")
	}
	if slices.Contains(extra, "for") {
		f.StringVar(&o.lasts, "for", "", "")
	}
	if slices.Contains(extra, "json") {
		f.BoolVar(&o.json, "json", false, "")
	}
	if o.args, err = parseMixed(f, usage, n, n, args); err != nil {
		return o, err
	}
	if *address == "" {
		if *address, err = configuredAdmin(*file, environ); err != nil {
			return o, err
		}
	}
	key, err := adminKey(*keyFile, environ)
	if err != nil {
		return o, err
	}
	if o.client, err = adminapi.NewClient(*address, key); err != nil {
		return o, &usageError{fmt.Errorf("--admin: %w", err)}
	}
	return o, nil
}

// duration is the value of --for; 0 if there is none.
func (o *adminOptions) duration() (time.Duration, error) {
	if o.lasts == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(o.lasts)
	if err != nil || d < time.Second {
		return 0, &usageError{fmt.Errorf("--for: %q is not allowed, want a duration such as 10m or 720h, from 1s", o.lasts)}
	}
	return d, nil
}

// configuredAdmin is where a server with this configuration answers administrators.
func configuredAdmin(file string, environ []string) (string, error) {
	var flags []string
	if file != "" {
		flags = []string{"--config=" + file}
	}
	cfg, _, err := config.Load(flags, environ, os.ReadFile)
	if err != nil {
		return "", &usageError{fmt.Errorf("configuration:\n%w", err)}
	}
	at := cfg.AdminListen
	switch host, port, err := net.SplitHostPort(at); {
	case at == "":
		return defaultAdmin, nil
	case strings.HasPrefix(at, "unix:"):
		return at, nil
	case strings.HasPrefix(at, "systemd") || err != nil || port == "0":
		return "", &usageError{fmt.Errorf("admin_listen is %s, which does not tell where the server answers; name the address with --admin", at)}
	case host == "" || net.ParseIP(host).IsUnspecified():
		return "http://" + net.JoinHostPort("localhost", port), nil
	}
	return "http://" + at, nil
}

// adminKey is the key of who runs the command.
func adminKey(file string, environ []string) (string, error) {
	key, source := "", "the variable "+adminKeyName
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", &usageError{fmt.Errorf("--key-file: %w", err)}
		}
		key, source = strings.TrimSpace(string(b)), file
	} else {
		for _, pair := range environ {
			if name, value, _ := strings.Cut(pair, "="); name == adminKeyName {
				key = strings.TrimSpace(value)
			}
		}
		if key == "" {
			return "", &usageError{errors.New("there is no key: put yours into the variable " + adminKeyName + ", or name its file with --key-file. \"hawser new-admin-key NAME\" makes one")}
		}
	}
	if err := adminapi.CheckKey(key); err != nil {
		return "", &usageError{fmt.Errorf("%s: %w", source, err)}
	}
	return key, nil
}
