package driver_test

import (
	"fmt"
	"testing"

	"github.com/isosocket/isosocket/ws/driver"
)

func TestFormIsMadeOnce(t *testing.T) {
	p := new(driver.Prepared)
	p.Prepare(driver.Message{Kind: driver.KindText, Data: []byte("hello")})
	made := 0
	for range 3 {
		for _, key := range [][2]int{{1, 1}, {1, 2}, {2, 1}} {
			got := driver.Form(p, key, func(m driver.Message) []byte {
				made++
				return fmt.Appendf(nil, "%v %v", key, m)
			})
			if want := fmt.Sprintf("%v hello", key); string(got) != want {
				t.Errorf("the form for %v is %q, want %q", key, got, want)
			}
		}
	}
	if made != 3 {
		t.Errorf("3 forms were made %d times", made)
	}
}
