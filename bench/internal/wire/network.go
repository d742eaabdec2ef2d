package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/isosocket/isosocket/internal/testing/h2client"
)

// Network is how connections reach a server.
type Network string

// The networks. The zero value is TCP.
const (
	TCP     Network = ""
	TLS     Network = "tls"         // a handshake of TLS for each connection
	Resumed Network = "tls-resumed" // with the session of an earlier one, as browsers do
	HTTP2   Network = "http2"       // a stream for each; up to streamsPerConnection share a connection
)

const streamsPerConnection = 100

// dialTimeout bounds one handshake.
const dialTimeout = 30 * time.Second

// Listener returns a listener for n over l, with a certificate of its own.
func (n Network) Listener(l net.Listener) (net.Listener, error) {
	if n == TCP {
		return l, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1"},
	}), nil
}

// Dialer opens connections to one address. Its methods may be called at the same time.
type Dialer struct {
	network Network
	address string
	config  *tls.Config
	session sync.Once // the first connection, which brings the session of TLS to resume

	mu      sync.Mutex
	clients []*sharedClient
}

// sharedClient is a connection of HTTP/2 with the number of its open streams.
type sharedClient struct {
	*h2client.Client
	open int
}

// NewDialer returns a Dialer.
func NewDialer(network Network, address string) *Dialer {
	d := &Dialer{network: network, address: address}
	d.config = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	if network == Resumed {
		d.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return d
}

// Dial is like the function Dial.
func (d *Dialer) Dial(extensions string) (conn net.Conn, agreed string, rest []byte, err error) {
	switch d.network {
	case TCP:
		return Dial(d.address, extensions)
	case HTTP2:
		return d.openStream(extensions)
	}
	if d.network == Resumed {
		d.session.Do(func() {
			if conn, _, _, err := d.secure(""); err == nil {
				conn.Close()
			}
		})
	}
	c, agreed, rest, err := d.secure(extensions)
	if err != nil {
		return nil, "", nil, err
	}
	if d.network == Resumed && !c.ConnectionState().DidResume {
		c.Close()
		return nil, "", nil, errors.New("wire: the server did not resume the session of TLS")
	}
	return c, agreed, rest, nil
}

// secure opens a connection over TLS.
func (d *Dialer) secure(extensions string) (conn *secureConn, agreed string, rest []byte, err error) {
	tcp, err := dialTCP(d.address)
	if err != nil {
		return nil, "", nil, err
	}
	conn = &secureConn{tls.Client(tcp, d.config), tcp}
	if agreed, rest, err = handshake(conn, d.address, extensions); err != nil {
		tcp.Close()
		return nil, "", nil, err
	}
	return conn, agreed, rest, nil
}

// secureConn resets its connection when it is closed.
type secureConn struct {
	*tls.Conn
	tcp *net.TCPConn
}

func (c *secureConn) Close() error { return c.tcp.Close() }

// streamConn counts itself out of its connection when it is closed.
type streamConn struct {
	*h2client.Stream
	dialer *Dialer
	client *sharedClient
}

func (c *streamConn) Close() error {
	c.dialer.mu.Lock()
	c.client.open--
	c.dialer.mu.Unlock()
	return c.Stream.Close()
}

func (d *Dialer) openStream(extensions string) (net.Conn, string, []byte, error) {
	client, err := d.client()
	if err != nil {
		return nil, "", nil, err
	}
	header := http.Header{}
	if extensions != "" {
		header.Set("Sec-WebSocket-Extensions", extensions)
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	stream, response, err := client.Open(ctx, "/", header)
	if err == nil && stream == nil {
		err = fmt.Errorf("wire: handshake refused with %d", response.StatusCode)
	}
	if err != nil {
		return nil, "", nil, err
	}
	return &streamConn{stream, d, client}, response.Header.Get("Sec-WebSocket-Extensions"), nil, nil
}

// client returns a connection with space for one more stream.
func (d *Dialer) client() (*sharedClient, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		if c.open < streamsPerConnection {
			c.open++
			return c, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c, err := h2client.Dial(ctx, d.address, d.config)
	if err != nil {
		return nil, err
	}
	d.clients = append(d.clients, &sharedClient{c, 1})
	return d.clients[len(d.clients)-1], nil
}

// Close closes the connections that streams share.
func (d *Dialer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		c.Client.Close()
	}
}
