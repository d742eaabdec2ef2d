package rfc6455

import (
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

// What inflates a message in parts is a coroutine, which must end with the message.
func TestMain(m *testing.M) { leak.Main(m) }
