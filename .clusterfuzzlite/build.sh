#!/bin/bash -eu
# Builds every native fuzz target of the main module for libFuzzer. The images of OSS-Fuzz and
# ClusterFuzzLite run it in the repository's folder; they set $OUT and have the command
# compile_native_go_fuzzer_v2, which takes a package, a target and the name of the binary.

# That command links the targets with a package of its own.
printf 'package isosocket\n\nimport _ "github.com/AdamKorcz/go-118-fuzz-build/testing"\n' >fuzz_dependency.go
go get github.com/AdamKorcz/go-118-fuzz-build/testing

targets=$(sh scripts/fuzztargets.sh)
while read -r module package target os; do
	if [ "$module" = . ] && [ "$os" = native ]; then
		name=$(echo "${package#./}_$target" | tr '/' '_')
		compile_native_go_fuzzer_v2 "$(go list "$package")" "$target" "$name" </dev/null
	fi
done <<<"$targets"
