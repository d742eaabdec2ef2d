#!/bin/sh
# Proves that every package imports only what its room may, for both targets. A package in no room fails, too:
# give it one here. Tests may import what they like.
set -eu
cd "$(dirname "$0")/.."

# One room a line: its packages (all below the path, too), a colon, what they may import beside the standard
# library and themselves. "." is the root package, "native:" and "js:" limit what follows them to one target.
rooms='
errors:
ws/driver: errors
ws: errors ws/driver
ws/netconn: errors ws
ws/wsjson: errors ws
ws/wstest: errors ws
internal/rfc6455: errors github.com/klauspost/compress
internal/stream: errors ws ws/driver internal/rfc6455
internal/jscall:
internal/relay: internal/jscall
internal/presence: js:internal/jscall
internal/testing/client:
internal/testing/options:
internal/testing/apidoc:
internal/testing/docs:
internal/subprotocol: errors
internal/wsurl: errors js:internal/jscall native:golang.org/x/net/idna
internal/browsersocket: errors ws ws/driver internal/jscall internal/relay
internal/handshake: errors ws internal/rfc6455 internal/subprotocol github.com/coder/websocket
.: errors ws ws/driver internal/presence internal/subprotocol internal/wsurl js:internal/jscall js:internal/browsersocket native:internal/rfc6455 native:internal/stream native:internal/handshake
server: errors ws . internal/subprotocol internal/rfc6455 internal/stream internal/handshake github.com/coder/websocket golang.org/x/net/idna
internal/chat: errors ws
wasm: errors ws . internal/chat js:github.com/hack-pad/safejs
cmd/isosocket: errors ws . server internal/chat wasm
internal/testing/leak:
internal/testing/transcript:
internal/testing/faultproxy:
internal/testing/herd: . server
internal/testing/storm: errors ws server internal/testing/faultproxy
internal/testing/parity: server ws/wstest
internal/testing/browser: errors ws . github.com/chromedp/chromedp github.com/chromedp/cdproto
e2e: errors ws ws/wstest . server wasm internal/chat internal/testing/browser internal/testing/leak github.com/chromedp/chromedp github.com/chromedp/cdproto internal/testing/storm
'

# What a browser must not download: packages that make a wasm client big.
heavy='^(bufio|compress|crypto|encoding|fmt|html|log|math/big|mime|net|os|reflect|regexp|text)(/|$)'

# What the packages of this module must not import there, either. The standard library does, but the linker leaves out
# what nobody calls; bench's TestClientSize looks at what it left.
uncalled='^(unicode)$'

status=0
for target in native js; do
	if [ $target = js ]; then
		GOOS=js GOARCH=wasm
		export GOOS GOARCH
	fi
	list=$(go list -f '{{.ImportPath}}{{range .Imports}} {{.}}{{end}}' ./...)
	printf '%s\n' "$list" | awk -v rooms="$rooms" -v target=$target '
		BEGIN {
			module = "github.com/isosocket/isosocket"
			count = split(rooms, lines, "\n")
			for (i = 1; i <= count; i++) {
				colon = index(lines[i], ":")
				if (colon == 0) continue
				name = substr(lines[i], 1, colon - 1)
				words = split(substr(lines[i], colon + 1), word, " ")
				room[name] = 1
				allowed[name, 1] = name
				n = 1
				for (w = 1; w <= words; w++) {
					if (word[w] ~ /^(native|js):/) {
						if (index(word[w], target ":") != 1) continue
						sub(/^[a-z]+:/, "", word[w])
					}
					allowed[name, ++n] = word[w]
				}
				size[name] = n
			}
		}
		# below reports whether path is parent or under it; the root package has nothing under it.
		function below(path, parent) {
			return path == parent || parent != "." && index(path, parent "/") == 1
		}
		function short(path) {
			if (path == module) return "."
			if (index(path, module "/") == 1) return substr(path, length(module) + 2)
			return path
		}
		# home returns the innermost room of a package, "" if it has none.
		function home(path,   best, name) {
			best = ""
			for (name in room) if (below(path, name) && length(name) > length(best)) best = name
			return best
		}
		{
			self = short($1)
			mine = home(self)
			if (mine == "") {
				print "imports: package " self " is in no room; add it to scripts/imports.sh"
				failed = 1
				next
			}
			for (f = 2; f <= NF; f++) {
				path = short($f)
				split(path, parts, "/")
				if (path == $f && parts[1] !~ /\./) continue # standard library
				ok = 0
				for (i = 1; i <= size[mine]; i++) {
					rule = allowed[mine, i]
					if (!below(path, rule)) continue
					# A rule for a room of ours does not open the rooms inside it.
					if (rule in room && home(path) != rule) continue
					ok = 1
				}
				if (!ok) {
					print "imports: " self " (" target ") imports " path ", which the room " mine " may not"
					failed = 1
				}
			}
		}
		END { exit failed }
	' || status=1
done

found=$(GOOS=js GOARCH=wasm go list -deps . | grep -E "$heavy" || true)
if [ -n "$found" ]; then
	echo "imports: the root package's browser build must not contain:" $found
	status=1
fi

found=$(GOOS=js GOARCH=wasm go list -deps -f '{{with .Module}}{{if .Main}}{{range $.Imports}}{{println .}}{{end}}{{end}}{{end}}' . |
	grep -E "$uncalled" | sort -u || true)
if [ -n "$found" ]; then
	echo "imports: no package in the root package's browser build may import:" $found
	status=1
fi
exit $status
