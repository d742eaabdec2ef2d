// Package enginetest tests whether a [hub.Engine] follows its contract. It is for authors
// of engines:
//
//	func TestEngine(t *testing.T) {
//		enginetest.Run(t, enginetest.Target{Open: func(t testing.TB, n int) []hub.Engine {
//			engines := make([]hub.Engine, n)
//			for i := range engines {
//				engines[i] = connect(t) // closed by t.Cleanup
//			}
//			return engines
//		}})
//	}
//
// The cases use the engine like several machines that publish and listen at the same time.
// An engine may lose, repeat and delay entries on their way to subscribers; the cases check
// that this is visible and can be repaired. They use the real clock, and take some seconds
// because of the history that has to expire.
package enginetest
