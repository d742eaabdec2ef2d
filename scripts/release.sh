#!/bin/sh
# Makes the files of a release in bin/release: an archive and an SBOM (CycloneDX) for each platform,
# the SBOM of the browser client that each contains, and SHA256SUMS. notes.md beside the folder is
# the section of CHANGELOG.md.
#
#   scripts/release.sh VERSION SBOM-TOOL      VERSION is the tag, such as v0.1.0
#
# The commit and the versions of Go, GNU tar and gzip decide every byte.
set -eu
cd "$(dirname "$0")/.."
version=${1:?the tag of the release, such as v0.1.0}
sbom=$(realpath "${2:?the path of cyclonedx-gomod}")
platforms='linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64'

fail() {
	echo "release.sh: $1" >&2
	exit 1
}
printf '%s\n' "$version" | grep -Eqx 'v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?' ||
	fail "$version is not a version such as v0.1.0 or v0.1.0-rc.1"
[ -z "$(git status --porcelain)" ] || fail "the folder has changes that are not committed"
[ "$(git rev-parse -q --verify "refs/tags/$version^{commit}")" = "$(git rev-parse HEAD)" ] ||
	fail "the tag $version is not on the commit that is checked out"

rm -rf bin/release bin/notes.md
mkdir -p bin/release
awk -v heading="## [${version#v}]" '
	index($0, "## ") == 1 { inside = index($0, heading) == 1; next }
	inside { print }
' CHANGELOG.md >bin/notes.md
grep -q '[^[:space:]]' bin/notes.md || fail "CHANGELOG.md has no section [${version#v}]"

# licences copies the licence files of the modules that are linked into the package $1 into $2.
licences() {
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' "$1" | sort -u |
		while read -r module folder; do
			mkdir -p "$2/$module"
			for file in "$folder"/LICENSE* "$folder"/NOTICE* "$folder"/PATENTS*; do
				[ ! -e "$file" ] || cp "$file" "$2/$module/"
			done
			[ -n "$(ls "$2/$module")" ] || fail "$module has no licence file"
		done
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
trap 'exit 1' HUP INT TERM
umask 022
when=$(git log -1 --format=%ct)
make=${MAKE:-make}
for platform in $platforms; do
	GOOS=${platform%/*} GOARCH=${platform#*/}
	export GOOS GOARCH
	$make -s build
	name=isosocket_${version#v}_${GOOS}_$GOARCH
	program=isosocket
	[ "$GOOS" != windows ] || program=isosocket.exe
	mkdir -p "$made/$name/licences/go"
	cp bin/isosocket "$made/$name/$program"
	cp LICENSE "$made/$name/"
	cp "$(go env GOROOT)/LICENSE" "$made/$name/licences/go/"
	licences ./cmd/isosocket "$made/$name/licences"
	(GOOS=js GOARCH=wasm; licences ./wasm "$made/$name/licences")
	chmod -R u+w,go-w,a+rX "$made/$name"
	tar --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner --format=gnu -C "$made" -cf "$made/$name.tar" "$name"
	gzip -9 -n <"$made/$name.tar" >"bin/release/$name.tar.gz"
	CGO_ENABLED=0 "$sbom" app -json -std -licenses -noserial -notimestamp -main cmd/isosocket -output "bin/release/$name.cdx.json" .
done
name=isosocket_${version#v}_js_wasm
GOOS=js GOARCH=wasm "$sbom" app -json -std -licenses -noserial -notimestamp -main wasm -output "bin/release/$name.cdx.json" .
(cd bin/release && sha256sum isosocket_* >SHA256SUMS && cat SHA256SUMS)
