package errors_test

import (
	"fmt"
	"io"

	"github.com/isosocket/isosocket/errors"
)

// A CloseReason is a target of Is.
func Example() {
	var err error = &errors.ConnectionClosed{Reason: errors.GoingAway, Message: "back in a minute", Remote: true}
	switch {
	case errors.Is(err, errors.NormalClosure):
		fmt.Println("done")
	case errors.Is(err, errors.GoingAway):
		fmt.Println("the server goes away")
	}
	// Output: the server goes away
}

// AsType returns the error, with the reason, the message, and which side closed.
func ExampleConnectionClosed() {
	var err error = &errors.ConnectionClosed{Reason: 4001, Message: "signed in elsewhere", Remote: true}
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		fmt.Println(closed.Reason)
		fmt.Println(closed.Message, closed.Remote)
	}
	// Output:
	// 4001 (private application reason, 4000-4999)
	// signed in elsewhere true
}

// A handshake that was refused keeps the HTTP status.
func ExampleConnectionError() {
	var err error = &errors.ConnectionError{StatusCode: 401, URL: "wss://example.com/chat"}
	if refused, ok := errors.AsType[*errors.ConnectionError](err); ok && refused.StatusCode == 401 {
		fmt.Println("sign in first")
	}
	// Output: sign in first
}

func ExampleCloseReason_Retryable() {
	fmt.Println(errors.TryAgainLater.Retryable(), errors.PolicyViolation.Retryable())
	// Output: true false
}

// Check the reason first, then the details.
func ExampleIs() {
	var err error = &errors.ConnectionClosed{Reason: errors.AbnormalClosure, Err: io.ErrUnexpectedEOF}
	fmt.Println(errors.Is(err, errors.AbnormalClosure))
	fmt.Println(errors.Is(err, io.ErrUnexpectedEOF)) // the cause
	fmt.Println(errors.Is(err, errors.ErrWebSocket)) // any error of this library
	// Output:
	// true
	// true
	// true
}

// A program can tell a failed attempt to connect from a connection that ended.
func ExampleAsType() {
	describe := func(err error) string {
		if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
			return fmt.Sprint("cannot connect: HTTP status ", failed.StatusCode)
		}
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
			return fmt.Sprint("the connection ended: ", closed.Reason)
		}
		return err.Error()
	}
	fmt.Println(describe(&errors.ConnectionError{StatusCode: 503}))
	fmt.Println(describe(&errors.ConnectionClosed{Reason: errors.ServiceRestart, Remote: true}))
	// Output:
	// cannot connect: HTTP status 503
	// the connection ended: 1012 (service restart)
}

// An application checks its own reason before it sends it.
func ExampleCloseReason_Sendable() {
	const roomFull errors.CloseReason = 4005
	fmt.Println(roomFull.Sendable(), errors.AbnormalClosure.Sendable())
	// Output: true false
}

// A log reports only connections that ended because of a problem.
func ExampleCloseReason_Normal() {
	for _, reason := range []errors.CloseReason{errors.NormalClosure, errors.GoingAway, errors.ProtocolError} {
		if !reason.Normal() {
			fmt.Println("unexpected end:", reason)
		}
	}
	// Output: unexpected end: 1002 (protocol error)
}
