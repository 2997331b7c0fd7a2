// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"
)

// guard refuses the requests that do not come from the page.
type guard struct {
	host, origin  string
	token, ticket string
	used          atomic.Bool // the ticket
}

func newGuard(host string) *guard {
	host = strings.TrimSuffix(host, ":80") // as browsers do
	return &guard{host: host, origin: "http://" + host, token: rand.Text(), ticket: rand.Text()}
}

// policy has the page load nothing but what this server sends.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serve passes a request on to the routes, without the token in its path.
func (g *guard) serve(w http.ResponseWriter, r *http.Request, routes http.Handler) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the token
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")

	begin, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Host != g.host: // another name for this address, by which another site's page could reach it
		refuse(w, http.StatusForbidden, "this is not the address that srdiff serve printed: open that one")
	case r.Header.Get("Origin") != "" && r.Header.Get("Origin") != g.origin:
		refuse(w, http.StatusForbidden, "the request comes from the page of another site")
	case begin == "open" && same(rest, g.ticket) && r.Method == http.MethodGet && !g.used.Swap(true):
		http.Redirect(w, r, "/"+g.token+"/", http.StatusSeeOther)
	case !same(begin, g.token):
		refuse(w, http.StatusForbidden, "the address lacks the token of this run: open the address that srdiff serve printed")
	default:
		http.StripPrefix("/"+g.token, routes).ServeHTTP(w, r)
	}
}

// same compares two texts in a time that does not depend on where they differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse answers with one line of text.
func refuse(w http.ResponseWriter, status int, text string) { http.Error(w, text, status) }
