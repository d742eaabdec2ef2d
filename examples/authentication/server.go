//go:build !js

package authentication

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// ticketLife is how long a ticket can be used. The page fetches it just before it dials.
const ticketLife = 30 * time.Second

// Server knows one user by a token, as an API does, and lets a page exchange the token for a cookie
// or a ticket. Its endpoints /bearer, /cookie, /ticket and /subprotocol greet the user.
type Server struct {
	http.ServeMux

	token, user string

	mu       sync.Mutex
	sessions map[string]string // a user by the value of a cookie
	tickets  map[string]ticket
}

type ticket struct {
	user    string
	expires time.Time
	used    bool
}

// NewServer returns a Server that knows user by token. origins are the pages that may connect,
// beside those that it serves itself.
func NewServer(token, user string, origins ...string) *Server {
	s := &Server{token: token, user: user, sessions: map[string]string{}, tickets: map[string]ticket{}}
	s.HandleFunc("POST /session", s.newSession)
	s.HandleFunc("POST /ticket", s.newTicket)
	for path, authorize := range map[string]func(*http.Request) (string, bool){
		"/bearer":      s.byBearer,
		"/cookie":      s.byCookie,
		"/ticket":      s.byTicket,
		"/subprotocol": s.bySubprotocol,
	} {
		s.Handle("GET "+path, server.Handler(greet, &server.Options{
			OriginPatterns: origins,
			Subprotocols:   []string{Subprotocol},
			Authorize: func(r *http.Request) (any, error) {
				if user, ok := authorize(r); ok {
					return user, nil
				}
				return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
			},
		}))
	}
	return s
}

func greet(ctx context.Context, conn *server.Conn) error {
	return conn.Send(ctx, ws.Text("hello, "+conn.Principal().(string)))
}

// byBearer is also how a page proves who it is when it asks for a session or a ticket with fetch,
// which can send the header.
func (s *Server) byBearer(r *http.Request) (user string, ok bool) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.user, found && s.isToken(token)
}

// isToken takes the same time for every wrong token of the right length.
func (s *Server) isToken(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}

func (s *Server) byCookie(r *http.Request) (user string, ok bool) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok = s.sessions[cookie.Value]
	return user, ok
}

// byTicket accepts a ticket once. After a handshake that failed, this library's client asks again
// with a plain GET why that was, and that must not use the ticket up, nor fail because it was used.
func (s *Server) byTicket(r *http.Request) (user string, ok bool) {
	value := r.FormValue("ticket")
	handshake := r.Header.Get("Upgrade") != ""
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tickets[value]
	if !ok || time.Now().After(t.expires) || handshake && t.used {
		return "", false
	}
	t.used = t.used || handshake
	s.tickets[value] = t
	return t.user, true
}

func (s *Server) bySubprotocol(r *http.Request) (user string, ok bool) {
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			if token, found := strings.CutPrefix(strings.TrimSpace(name), tokenPrefix); found {
				return s.user, s.isToken(token)
			}
		}
	}
	return "", false
}

func (s *Server) newSession(w http.ResponseWriter, r *http.Request) {
	user, ok := s.byBearer(r)
	if !ok {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	value := rand.Text()
	s.mu.Lock()
	s.sessions[value] = user
	s.mu.Unlock()
	// SameSite keeps the cookie out of requests that the pages of other sites make, also out of
	// their handshakes. Set Secure, too, where the site has https.
	http.SetCookie(w, &http.Cookie{Name: "session", Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *Server) newTicket(w http.ResponseWriter, r *http.Request) {
	user, ok := s.byBearer(r)
	if !ok {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	value, now := rand.Text(), time.Now()
	s.mu.Lock()
	for old, t := range s.tickets {
		if now.After(t.expires) {
			delete(s.tickets, old)
		}
	}
	s.tickets[value] = ticket{user: user, expires: now.Add(ticketLife)}
	s.mu.Unlock()
	w.Write([]byte(value))
}
