//go:build unix && !linux

package stream

// msgMore has no equal here: a large message costs one packet more.
const msgMore = 0
