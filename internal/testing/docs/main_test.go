package docs_test

import (
	"testing"

	"github.com/isosocket/isosocket/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
