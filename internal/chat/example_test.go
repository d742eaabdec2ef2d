package chat_test

import (
	"fmt"

	"github.com/isosocket/isosocket/internal/chat"
)

func ExampleParseLine() {
	command, err := chat.ParseLine("/close 4001 see you")
	fmt.Println(command.Reason, command.Text, err)
	_, err = chat.ParseLine("/close 1006")
	fmt.Println(err)
	// Output:
	// 4001 (private application reason, 4000-4999) see you <nil>
	// the close reason "1006" may not be sent; allowed are 1000-1003, 1007-1014, 3000-3900 and 3915-4999
}

func ExampleMessage_Line() {
	fmt.Println(chat.Message{Type: chat.Joined, Name: "ada", Platform: "js/wasm"}.Line())
	fmt.Println(chat.Message{Type: chat.Said, Name: "ada", Text: "hello"}.Line())
	// Output:
	// * ada joined (js/wasm)
	// ada: hello
}
