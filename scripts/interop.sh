#!/bin/sh
# Installs the peers of make interop that are missing, if allowed, and runs it: npm packages into
# bin/interop, engines and proxies by engine.sh and proxy.sh, and as root on Debian python3-websockets by
# apt-get. Its arguments are passed on, such as -peers 'ws|nginx'. A peer that cannot be installed is
# named below the table.
set -eu
cd "$(dirname "$0")/.."

modules=$(pwd)/bin/interop
mkdir -p "$modules"
for package in ws@8.23.0 undici@7.30.2 faye-websocket@0.11.4; do
	name=${package%@*}
	if ! grep -qs "\"version\": \"${package#*@}\"" "$modules/node_modules/$name/package.json"; then
		npm install --prefix "$modules" --no-save --no-audit --no-fund --loglevel=error ws@8.23.0 undici@7.30.2 faye-websocket@0.11.4 >&2 || true
		break
	fi
done
cp bench/interop/peers/standard.mjs "$modules/"
for engine in node deno bun; do
	sh scripts/engine.sh $engine >/dev/null || true
done
for proxy in nginx haproxy caddy; do
	sh scripts/proxy.sh $proxy >/dev/null || true
done
if ! /usr/bin/python3 -c 'import websockets' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends python3-websockets >&2 || true
fi

cd bench
"${GO-go}" run ./interop -modules "$modules" "$@"
