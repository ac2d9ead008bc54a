package main

import (
	"net/http/httptest"
	"testing"
)

// A page that may not ask for a guest reads why, and nothing about how it was found out.
func TestOriginCheck(t *testing.T) {
	check := originCheck([]string{"https://chat.example"})
	for origin, want := range map[string]string{
		"":                     "",
		"https://chat.example": "",
		"https://evil.example": `Origin header: "https://evil.example"`,
	} {
		r := httptest.NewRequest("POST", "/api/guest", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		got := ""
		if err := check(r); err != nil {
			got = err.Error()
		}
		if len(got) < len(want) || got[:len(want)] != want || want == "" && got != "" {
			t.Errorf("Origin %q: %q, want %q", origin, got, want)
		}
	}
}
