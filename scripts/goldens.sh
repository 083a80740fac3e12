#!/bin/sh
# Writes what is generated and committed: the schemas, and each example's compiled pipeline.yaml.
# With --check, writes nothing and compares the examples; the schemas have their own check (make schema).
set -u
failed=0
if [ "${1-}" != --check ]; then
    new=schemas/.new.$$
    trap 'rm -f "$new"' EXIT
    for what in pipeline describe rules; do
        if kade2kfp schema "$what" >"$new"; then mv "$new" "schemas/$what.v1.json"; else failed=1; fi
    done
fi
for document in examples/*/pipeline.json; do
    if [ ! -e "$document" ]; then
        echo "goldens: no examples/*/pipeline.json" >&2
        exit 1
    fi
    kade2kfp compile "$document" -o "${document%.json}.yaml" "$@" || failed=1
done
if [ "${1-}" != --check ]; then  # tests/graph compares them
    for one in iris sweep; do
        kade2kfp graph "examples/$one/pipeline.json" -o "docs/$one.svg" || failed=1
    done
fi
for golden in examples/*/pipeline.yaml; do
    if [ ! -e "${golden%.yaml}.json" ]; then
        echo "goldens: $golden has no pipeline.json" >&2
        failed=1
    fi
done
if [ "$failed" != 0 ] && [ "${1-}" = --check ]; then
    echo "goldens: stale, or not to be compiled: see above; 'make goldens' writes them anew" >&2
fi
exit "$failed"
