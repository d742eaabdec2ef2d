//go:build !js

package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

func checkPassword(password string) func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
	return func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
		if subtle.ConstantTimeCompare(given, []byte(password)) != 1 {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}
}

// serveSSH serves ssh sessions over conn until it ends.
func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	client, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go serveSession(channel, requests, client.User())
	}
}

func serveSession(channel ssh.Channel, requests <-chan *ssh.Request, user string) {
	for r := range requests {
		r.Reply(r.Type == "shell", nil)
		if r.Type == "shell" {
			go func() {
				shell(channel, user)
				channel.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
				channel.Close()
			}()
		}
	}
}

// shell is a shell of a few commands, which do no harm. It echoes what is typed.
func shell(terminal io.ReadWriter, user string) {
	fmt.Fprintf(terminal, "Welcome, %s. Commands: echo, date, whoami, exit.\r\n$ ", user)
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := terminal.Read(one); err != nil {
			return
		}
		switch b := one[0]; {
		case b == '\r':
			io.WriteString(terminal, "\r\n")
			name, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
			line = line[:0]
			switch name {
			case "":
			case "echo":
				fmt.Fprintf(terminal, "%s\r\n", rest)
			case "date":
				fmt.Fprintf(terminal, "%s\r\n", time.Now().Format(time.RFC1123))
			case "whoami":
				fmt.Fprintf(terminal, "%s\r\n", user)
			case "exit":
				io.WriteString(terminal, "bye\r\n")
				return
			default:
				fmt.Fprintf(terminal, "%s: no such command\r\n", name)
			}
			io.WriteString(terminal, "$ ")
		case b == 0x7f && len(line) > 0:
			line = line[:len(line)-1]
			io.WriteString(terminal, "\b \b")
		case b >= ' ' && b < 0x7f && len(line) < 1000:
			line = append(line, b)
			terminal.Write(one)
		}
	}
}
