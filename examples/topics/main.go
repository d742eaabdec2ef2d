//go:build !js

// Command topics serves a page whose JavaScript client speaks the protocol of topics: rooms, who is here,
// and what was missed. There is no Go in the page.
//
//	go run ./topics
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"

	"github.com/isosocket/isosocket/examples/topics/web"
)

func main() {
	h, err := hub.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	handler, _, err := newHandler(h)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://127.0.0.1:8080/?name=ann")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler))
}

// newHandler returns a handler of the page and of the endpoint /topics.
func newHandler(h *hub.Hub) (http.Handler, *topicserver.Endpoint, error) {
	endpoint, err := topicserver.New(h, access, nil)
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(web.Files))
	mux.Handle("/topics", endpoint)
	return mux, endpoint, nil
}

// access lets everyone with a name into all rooms.
var access = topicserver.Access{
	Connect: func(r *http.Request) (topicserver.Who, error) {
		name := r.URL.Query().Get("name") // a real server looks at a cookie or a token
		if name == "" {
			return topicserver.Who{}, fmt.Errorf("the client has no name")
		}
		return topicserver.Who{User: name}, nil
	},
	Subscribe: func(_ context.Context, _ *topicserver.Member, topic string) (topicserver.Grant, error) {
		if !strings.HasPrefix(topic, "room/") {
			return topicserver.Grant{}, &topicserver.Refusal{Text: "there are only rooms"}
		}
		return topicserver.Grant{History: true, Present: true, Watch: true}, nil
	},
	Publish: func(_ context.Context, m *topicserver.Member, topic string, msg ws.Message) (ws.Message, error) {
		if !strings.HasPrefix(topic, "room/") {
			return msg, &topicserver.Refusal{Text: "there are only rooms"}
		}
		if msg.Kind == ws.KindText {
			return ws.Text(m.Who.User + ": " + msg.String()), nil
		}
		return msg, nil
	},
}
