#!/bin/sh
# Checks, for both targets, that every package imports only the packages that its rule allows. A
# package without a rule fails, too: add a rule here. Test files are not checked.
set -eu
cd "$(dirname "$0")/.."

# One rule per line: a package path, which also covers the packages below it; a colon; and the
# packages that they may import in addition to the standard library and each other. "." is the root
# package. "native:" and "js:" limit an import to one target.
rules='
errors:
ws/driver: errors
ws: errors ws/driver
ws/netconn: errors ws
ws/wsjson: errors ws
ws/wstest: errors ws
hub: errors ws
hub/enginetest: ws hub
hub/topic: errors ws . internal/topicwire js:internal/browsersocket
hub/topicserver: errors ws hub server internal/topicwire golang.org/x/time/rate
internal/topicwire: errors ws
internal/rfc6455: errors github.com/klauspost/compress
internal/stream: errors ws ws/driver internal/rfc6455 golang.org/x/time/rate
internal/jscall:
internal/relay: internal/jscall
internal/presence: js:internal/jscall
internal/http2stream:
internal/testing/h2client: ws internal/rfc6455 internal/stream golang.org/x/net/http2
internal/testing/conversation: errors internal/rfc6455
internal/testing/client:
internal/testing/options:
internal/testing/apidoc:
internal/testing/docs:
internal/testing/attacks:
internal/testing/evidence:
internal/testing/reasons:
internal/testing/section:
internal/testing/coverage: internal/testing/reasons internal/testing/section
internal/testing/mutation: internal/testing/reasons internal/testing/section
internal/subprotocol: errors
internal/wsurl: errors js:internal/jscall native:golang.org/x/net/idna
internal/browsersocket: errors ws ws/driver internal/jscall internal/relay
internal/handshake: errors ws internal/rfc6455 internal/subprotocol github.com/coder/websocket
.: errors ws ws/driver internal/presence internal/subprotocol internal/wsurl js:internal/jscall js:internal/browsersocket native:internal/rfc6455 native:internal/stream native:internal/handshake
server: errors ws . internal/subprotocol internal/rfc6455 internal/stream internal/handshake internal/http2stream github.com/coder/websocket golang.org/x/net/idna golang.org/x/time/rate
server/http2:
internal/chat: errors ws
wasm: errors ws . internal/chat js:github.com/hack-pad/safejs
scripts/brotli: github.com/andybalholm/brotli
cmd/isosocket: errors ws hub . server internal/chat wasm
internal/testing/leak:
internal/testing/transcript:
internal/testing/faultproxy:
internal/testing/topics: hub hub/topicserver internal/testing/faultproxy server ws
internal/testing/autobahn: . errors server ws
internal/testing/herd: . server
internal/testing/storm: errors ws server internal/testing/faultproxy
internal/testing/trend:
internal/testing/soak: errors ws . server internal/testing/faultproxy internal/testing/section internal/testing/trend
internal/testing/parity: errors ws server ws/wstest
internal/testing/browser: errors ws . github.com/chromedp/chromedp github.com/chromedp/cdproto
e2e: internal/testing/topics errors ws ws/wstest . server wasm internal/chat internal/testing/browser internal/testing/leak github.com/chromedp/chromedp github.com/chromedp/cdproto internal/testing/storm
'

# Packages that make a wasm client large. A browser must not have to download them.
heavy='^(bufio|compress|crypto|encoding|fmt|html|log|math/big|mime|net|os|reflect|regexp|text)(/|$)'

# Packages that this module must not import in a browser build, either. The standard library imports
# them, but the linker drops code that is not called; TestClientSize of bench checks the result.
uncalled='^(unicode)$'

status=0
for target in native js; do
	if [ $target = js ]; then
		GOOS=js GOARCH=wasm
		export GOOS GOARCH
	fi
	list=$(go list -f '{{.ImportPath}}{{range .Imports}} {{.}}{{end}}' ./...)
	printf '%s\n' "$list" | awk -v rules="$rules" -v target=$target '
		BEGIN {
			module = "github.com/isosocket/isosocket"
			count = split(rules, lines, "\n")
			for (i = 1; i <= count; i++) {
				colon = index(lines[i], ":")
				if (colon == 0) continue
				name = substr(lines[i], 1, colon - 1)
				words = split(substr(lines[i], colon + 1), word, " ")
				ruled[name] = 1
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
		# home returns the path of the innermost rule that covers a package, "" if there is none.
		function home(path,   best, name) {
			best = ""
			for (name in ruled) if (below(path, name) && length(name) > length(best)) best = name
			return best
		}
		{
			self = short($1)
			mine = home(self)
			if (mine == "") {
				print "imports: package " self " has no rule; add one to scripts/imports.sh"
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
					# Allowing a path of this module does not allow the paths below it that have a
					# rule of their own.
					if (rule in ruled && home(path) != rule) continue
					ok = 1
				}
				if (!ok) {
					print "imports: " self " (" target ") imports " path ", which the rule for " mine " does not allow"
					failed = 1
				}
			}
		}
		END { exit failed }
	' || status=1
done

found=$(GOOS=js GOARCH=wasm go list -deps . ./hub/topic | grep -E "$heavy" || true)
if [ -n "$found" ]; then
	echo "imports: the browser build of the root package and of hub/topic must not contain:" $found
	status=1
fi

found=$(GOOS=js GOARCH=wasm go list -deps -f '{{with .Module}}{{if .Main}}{{range $.Imports}}{{println .}}{{end}}{{end}}{{end}}' . ./hub/topic |
	grep -E "$uncalled" | sort -u || true)
if [ -n "$found" ]; then
	echo "imports: no package in the browser build of the root package and of hub/topic may import:" $found
	status=1
fi
exit $status
