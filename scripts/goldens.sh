#!/bin/sh
# Writes what is generated and committed: the schema, and each example's compiled pipeline.yaml.
# With --check, writes nothing and compares the examples; the schema has its own check (make schema).
set -u
failed=0
if [ "${1-}" != --check ]; then
    new=schemas/.pipeline.v1.$$
    trap 'rm -f "$new"' EXIT
    if kade2kfp schema >"$new"; then mv "$new" schemas/pipeline.v1.json; else failed=1; fi
fi
for document in examples/*/pipeline.json; do
    if [ ! -e "$document" ]; then
        echo "goldens: no examples/*/pipeline.json" >&2
        exit 1
    fi
    kade2kfp compile "$document" -o "${document%.json}.yaml" "$@" || failed=1
done
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
