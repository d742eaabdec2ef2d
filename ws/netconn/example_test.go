package netconn_test

import (
	"bufio"
	"fmt"
	"net"
	"net/rpc"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/netconn"
)

// Arithmetic is a service of net/rpc.
type Arithmetic struct{}

// Add adds.
func (Arithmetic) Add(args [2]int, sum *int) error {
	*sum = args[0] + args[1]
	return nil
}

// Any protocol over a net.Conn runs over a WebSocket, such as net/rpc.
func Example() {
	client, server := ws.Pipe(nil, nil) // Dial and a server's function return such Conns

	service := rpc.NewServer()
	service.Register(Arithmetic{})
	go service.ServeConn(netconn.New(server, nil))

	caller := rpc.NewClient(netconn.New(client, nil))
	defer caller.Close()
	var sum int
	err := caller.Call("Arithmetic.Add", [2]int{3, 4}, &sum)
	fmt.Println(sum, err)
	// Output: 7 <nil>
}

func ExampleNew() {
	client, server := ws.Pipe(nil, nil)
	writer, reader := netconn.New(client, nil), netconn.New(server, nil)
	fmt.Fprintln(writer, "one line")
	fmt.Fprintln(writer, "and another")
	go writer.Close()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	fmt.Println(lines.Err()) // nil: the peer closed with 1000
	// Output:
	// one line
	// and another
	// <nil>
}

// A server gives the net.Conn the client's address.
func ExampleOptions() {
	client, server := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	stream := netconn.New(server, &netconn.Options{
		MessageSize: 4 << 10,
		RemoteAddr:  &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5000},
	})
	fmt.Println(stream.RemoteAddr())
	// Output: 192.0.2.1:5000
}
