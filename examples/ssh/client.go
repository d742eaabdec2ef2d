//go:build js

package main

import (
	"context"
	"io"
	"net/http"
	"syscall/js"

	"golang.org/x/crypto/ssh"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws/netconn"
)

func main() {
	p := openPage()
	for {
		name, password := p.askForPassword()
		if err := run(p, name, password); err != nil {
			p.show(err.Error())
			continue
		}
		p.show("The session has ended.")
	}
}

// run opens a shell and connects it with the page, until it ends.
func run(p *page, name, password string) error {
	key, err := hostKey()
	if err != nil {
		return err
	}
	location := js.Global().Get("location")
	url := "ws" + location.Get("origin").String()[len("http"):] + "/ssh"
	conn, err := isosocket.Dial(context.Background(), url, nil)
	if err != nil {
		return err
	}
	stream := netconn.New(conn, nil)
	defer stream.Close()
	c, channels, requests, err := ssh.NewClientConn(stream, location.Get("host").String(), &ssh.ClientConfig{
		User:            name,
		Auth:            []ssh.AuthMethod{ssh.Password(password)},
		HostKeyCallback: ssh.FixedHostKey(key),
	})
	if err != nil {
		return err
	}
	client := ssh.NewClient(c, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	in, err := session.StdinPipe()
	if err != nil {
		return err
	}
	session.Stdout = p
	if err := session.Shell(); err != nil {
		return err
	}
	p.show("connected")
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	for {
		select {
		case keys := <-p.keys:
			if _, err := io.WriteString(in, keys); err != nil {
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

// hostKey returns the key of the ssh server.
func hostKey() (ssh.PublicKey, error) {
	response, err := http.Get("hostkey")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return key, err
}
