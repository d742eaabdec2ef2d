#!/bin/sh
# Builds bin/isosocket twice and fails unless both builds are the same, byte for byte. Each build has
# a folder, a build cache, a time zone, a locale and a umask of its own. Prints the SHA-256.
set -eu
cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
trap 'exit 1' HUP INT TERM

# build makes bin/isosocket in the folder $1, from a copy of this tree without the files that Git
# ignores, which an earlier build may have left.
build() {
	mkdir -p "$1"
	git ls-files --cached --others --exclude-standard |
		while IFS= read -r file; do if [ -e "$file" ]; then printf '%s\n' "$file"; fi; done >"$made/files"
	tar -cf - -T "$made/files" | tar -xf - -C "$1"
	GOCACHE="$made/cache" "${MAKE:-make}" -s -C "$1" build >&2
	rm -rf "$made/cache"
}

one=$made/one
two=$made/another/folder/two
(umask 022; export TZ=UTC LC_ALL=C; build "$one")
(umask 077; export TZ=Asia/Tokyo LC_ALL=en_US.UTF-8; build "$two")

status=0
for file in cmd/isosocket/dist/wasm_exec.js cmd/isosocket/dist/client.wasm.gz cmd/isosocket/dist/client.wasm.br bin/isosocket; do
	if ! cmp "$one/$file" "$two/$file" >&2; then
		echo "reproducible: two builds of $file differ" >&2
		status=1
	fi
done
[ $status -eq 0 ] || exit 1

sum=sha256sum
command -v $sum >/dev/null || sum='shasum -a 256'
(cd "$one" && $sum bin/isosocket)
