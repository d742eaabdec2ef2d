package differential

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// hijacker is an http.ResponseWriter whose connection is the tape.
type hijacker struct {
	http.ResponseWriter
	tape *tape
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.tape, bufio.NewReadWriter(bufio.NewReader(h.tape), bufio.NewWriter(h.tape)), nil
}

// gorillaReads returns what gorilla's Conn makes of wire.
func gorillaReads(r role, wire []byte) (events []event, err error) {
	t := newTape(r, wire)
	var conn *websocket.Conn
	if r == client {
		dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return t, nil }}
		conn, _, err = dialer.Dial("ws://localhost/", nil)
	} else {
		upgrader := websocket.Upgrader{EnableCompression: r == inflating}
		conn, err = upgrader.Upgrade(hijacker{tape: t}, request(r), nil)
	}
	if err != nil {
		return nil, err
	}
	t.out.Reset()
	conn.SetReadLimit(limit)
	conn.SetPingHandler(func(data string) error {
		events = append(events, message("ping", []byte(data)))
		return nil
	})
	conn.SetPongHandler(func(data string) error {
		events = append(events, message("pong", []byte(data)))
		return nil
	})
	for {
		kind, data, err := conn.ReadMessage()
		if err == nil {
			events = append(events, message(map[int]string{websocket.TextMessage: "text", websocket.BinaryMessage: "binary"}[kind], data))
			continue
		}
		var peer *websocket.CloseError
		switch {
		case errors.As(err, &peer) && peer.Code != websocket.CloseAbnormalClosure:
			return append(events, closed(uint16(peer.Code), []byte(peer.Text))), nil
		case peer != nil, errors.Is(err, io.EOF):
			return append(events, cut), nil
		}
		return append(events, failed(sentCode(t.out.Bytes()), err.Error())), nil
	}
}
