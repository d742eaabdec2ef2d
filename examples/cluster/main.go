//go:build !js

// Command cluster starts three machines of a chat, behind a small reverse proxy. Each machine is a
// process with a server of NATS, and together these are a cluster that stores the history three
// times. The page shows on which machine everybody is, and kills its own on request: the clients
// move to the others, and miss no line. A killed machine starts again after a few seconds.
//
//	go run ./cluster
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(0)
	address := flag.String("addr", "127.0.0.1:8080", "address of the proxy")
	node := flag.String("node", "", "used by the program itself: run one machine, described in JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *node != "" {
		err = runNode(ctx, *node)
	} else {
		err = run(ctx, *address)
	}
	if err != nil && ctx.Err() == nil {
		log.Fatal("cluster: ", err)
	}
}

// run runs the proxy and the machines until ctx ends.
func run(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c, err := start(ctx, self, 3)
	if err != nil {
		return err
	}
	defer c.stop()
	fmt.Printf("open http://%s/?name=ann\n", listener.Addr())
	return c.serve(ctx, listener)
}
