package errors_test

import (
	"fmt"

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

// AsType gives the reason, the message, and who closed.
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
