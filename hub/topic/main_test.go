package topic

import (
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
