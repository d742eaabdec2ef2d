// Package differential compares this library's decoder with the readers of gorilla/websocket and
// lxzan/gws. Its tests give all three the same bytes, and compare the messages, the control frames and
// the end. A disagreement must be in the list of the known ones, which says who follows RFC 6455 and RFC
// 7692; docs/fuzzing.md has the list as a table.
package differential
