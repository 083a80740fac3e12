#!/bin/sh
# Runs a command and shows what it printed only when it failed.
printed=$("$@" 2>&1) && exit 0
code=$?
printf '%s\n' "$printed"
exit "$code"
