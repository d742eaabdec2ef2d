package peer

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// acceptKey returns the answer to a Sec-WebSocket-Key (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// allowOrigin permits a page of any origin to read the answer with fetch.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		w.Header().Set("Vary", "Origin")
	}
}

// isHandshake reports whether r asks for a WebSocket; if not, it answers 426.
func isHandshake(w http.ResponseWriter, r *http.Request) bool {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Header.Get("Sec-WebSocket-Key") != "" {
		return true
	}
	allowOrigin(w, r)
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	http.Error(w, "a WebSocket handshake is needed", http.StatusUpgradeRequired)
	return false
}

func hijack(w http.ResponseWriter) (net.Conn, *bufio.Reader, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(behaviourTimeout)); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, buffered.Reader, nil
}

// answer is the server's answer to a handshake, valid or not.
type answer struct{ accept, protocol, extension string }

// rightAnswer chooses the first subprotocol that the client offered, because
// an offer without a choice fails in browsers.
func rightAnswer(r *http.Request) answer {
	a := answer{accept: acceptKey(r.Header.Get("Sec-WebSocket-Key"))}
	first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	a.protocol = strings.TrimSpace(first)
	return a
}

func (a answer) write(conn net.Conn) error {
	s := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + a.accept + "\r\n"
	if a.protocol != "" {
		s += "Sec-WebSocket-Protocol: " + a.protocol + "\r\n"
	}
	if a.extension != "" {
		s += "Sec-WebSocket-Extensions: " + a.extension + "\r\n"
	}
	_, err := fmt.Fprint(conn, s+"\r\n")
	return err
}
