package main

import (
	"errors"
	"net/http"

	"github.com/hawser-ws/hawser/handshake"
)

// originsUpgrader admits the pages of the public origins. If there are none, it admits those of the listener's
// own address. Host is never believed: an attacker who points a name of their own at this server
// could use it for what its users trust it with.
func originsUpgrader(public []string) handshake.Upgrader {
	return handshake.Upgrader{Origins: public, CheckOrigin: func(r *http.Request, origin string) error {
		if len(public) == 0 && handshake.OwnAddress(r, origin) == nil {
			return nil
		}
		return errors.New("it is not in public_origins")
	}}
}

// originCheck returns a check of whether a page may request a guest. Its error is for people.
func originCheck(public []string) func(*http.Request) error {
	upgrader := originsUpgrader(public)
	return func(r *http.Request) error {
		err := upgrader.VerifyOrigin(r)
		var refusal *handshake.Error
		if errors.As(err, &refusal) {
			return errors.New(refusal.Reason)
		}
		return err
	}
}

func isAny(origins []string) bool {
	for _, o := range origins {
		if o == "*" {
			return true
		}
	}
	return false
}
