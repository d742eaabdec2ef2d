// Package chromium measures clients in a headless Chromium: WebAssembly
// programs and a page of plain JavaScript, against the neutral server of
// package load. It needs the go command, to build the programs.
package chromium
