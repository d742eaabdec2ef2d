package wstest_test

import (
	"fmt"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// A case is data: what happens, and what must be observed.
func ExampleCases() {
	for _, c := range wstest.Cases() {
		if c.ID == "P06" {
			fmt.Println(c.ID, c.Event)
			for _, e := range c.Want {
				fmt.Println("   ", e.Key+":", e.Value(wstest.Browser))
			}
		}
	}
	// Output:
	// P06 close frame without a status
	//     Receive: CC(1005, "", remote)
	//     the peer saw: close 1005 ""
}

func ExampleDescribe() {
	a, b := ws.Pipe(nil, nil)
	_ = a.Close(errors.GoingAway, "restart")
	fmt.Println(wstest.Describe(a.Err()))
	fmt.Println(wstest.Describe(b.Err()))
	// Output:
	// CC(1001, "restart", local)
	// CC(1001, "restart", remote)
}
