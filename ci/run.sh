#!/usr/bin/env bash
# The work of the action (action.yml): decides what is done, does it, and tells GitHub of it.
# All that it is told comes in variables: INPUT_..., GITHUB_..., and KADE2KFP, the program. It runs on bash 3.2, as macOS has it.
#
# GitHub takes lines of the output for commands (actions/runner, src/Runner.Common/ActionCommand.cs), and documents,
# their names and what they become are anybody's text. So all that is not an annotation stands between
# `::stop-commands::TOKEN` and `::TOKEN::`, on one stream: the runner keeps no order between two.
set -uo pipefail

token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

quoted() { # COMMAND...: its output as text in which GitHub finds no commands
    local code
    printf '::stop-commands::%s\n' "$token"
    "$@" 2>&1
    code=$?
    printf '\n::%s::\n' "$token"
    return "$code"
}

fail() { # TEXT: wrong usage
    local text=${1//'%'/%25}
    text=${text//$'\r'/%0D}
    printf '::error::%s\n' "${text//$'\n'/%0A}"
    exit 2
}

output() { # NAME FILE: an output of the action, a file's lines
    { printf '%s<<%s\n' "$1" "$token" && cat "$2" && printf '%s\n' "$token"; } >>"${GITHUB_OUTPUT:-/dev/null}"
}

summary() { # HEADING FILE: a file's text on the page of the run; indented, it is no Markdown. The page takes 1 MiB.
    { printf '### %s\n\n' "$1" && head -c 60000 "$2" | sed 's/^/    /' && printf '\n\n'; } >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

# What is done. GITHUB_REF is the branch's name also in pull_request_target and workflow_run, whose content is anybody's.
event=${GITHUB_EVENT_NAME-}
case ${INPUT_COMMAND-} in
validate) did=validate ;;
compile)
    did=compile
    case $event in pull_request* | merge_group) did=check ;; esac
    ;;
submit)
    did=validate
    if [[ -n ${INPUT_BRANCH-} && ${GITHUB_REF-} == "refs/heads/$INPUT_BRANCH" ]]; then
        case $event in push | workflow_dispatch | schedule | repository_dispatch) did=submit ;; esac
    fi
    ;;
*) fail "command is '${INPUT_COMMAND-}': it is validate, compile or submit" ;;
esac

files=()
shopt -s nullglob
shopt -s globstar 2>/dev/null
while IFS=$' \t' read -r pattern; do
    [[ -n $pattern ]] || continue
    if [[ -e $pattern ]]; then
        found=("$pattern")
    else
        IFS=
        # shellcheck disable=SC2206 # it is a pattern
        found=($pattern)
        unset IFS
    fi
    ((${#found[@]})) || fail "no file is called $pattern"
    for file in "${found[@]}"; do
        [[ $file == -* ]] && file=./$file
        for known in ${files[@]+"${files[@]}"}; do
            [[ $known == "$file" ]] && continue 2
        done
        files+=("$file")
    done
done <<<"${INPUT_FILES-}"
((${#files[@]})) || fail 'files names none'

args=()
if [[ ${INPUT_ARGS-} == *[![:space:]]* ]]; then
    # xargs takes quotes as a shell does, and expands nothing.
    xargs printf '%s\0' <<<"$INPUT_ARGS" >"$work/args" 2>/dev/null || fail "args has a quote without its other"
    while IFS= read -r -d '' word; do args+=("$word"); done <"$work/args"
fi

printf 'did=%s\n' "$did" >>"${GITHUB_OUTPUT:-/dev/null}"

# What has no login to use gets none.
login=${INPUT_TOKEN-}
unset INPUT_TOKEN

annotated() { # WORDS...: a command that says what is wrong as annotations
    local code
    "$KADE2KFP" "$@" --output-format github -- "${files[@]}" >"$work/out" 2>"$work/err"
    code=$?
    grep -aE '^::(error|warning|notice) ' "$work/out"
    grep -avE '^::(error|warning|notice) ' "$work/out" >>"$work/err"
    quoted cat "$work/err"
    summary "kade2kfp $did: $( ((code)) && echo "failed ($code)" || echo fine)" "$work/err"
    return "$code"
}

# shellcheck disable=SC2317 # called by quoted
submitted() { # FILE: all it prints is kept, and what is standard output, whose first line says where the run is, once more
    { "$KADE2KFP" submit ${args[@]+"${args[@]}"} -- "$1" 2>&3 | tee "$work/out"; } 3>&1 | tee "$work/told"
}

case $did in
validate)
    [[ $INPUT_COMMAND == validate ]] || args=() # they are those of submit
    annotated validate ${args[@]+"${args[@]}"}
    exit
    ;;
check)
    annotated compile --check ${args[@]+"${args[@]}"}
    exit
    ;;
compile)
    annotated compile ${args[@]+"${args[@]}"}
    exit
    ;;
esac

[[ -z ${INPUT_ENDPOINT-} ]] || export KFP_ENDPOINT=$INPUT_ENDPOINT
[[ -z ${INPUT_NAMESPACE-} ]] || export KFP_NAMESPACE=$INPUT_NAMESPACE
[[ -z $login ]] || export KFP_EXISTING_TOKEN=$login
status=0
: >"$work/ids"
: >"$work/urls"
for file in "${files[@]}"; do
    : >"$work/out"
    quoted submitted "$file"
    code=$?
    if ((code)); then
        [[ $status != 0 ]] || status=$code
        printf '::error title=submit::kade2kfp submit failed with code %s: the log says why\n' "$code"
    fi
    IFS= read -r first <"$work/out" || first=
    if [[ $first =~ ^(https?://[A-Za-z0-9._~:/#-]+/)?([A-Za-z0-9-]+)$ ]]; then
        printf '%s\n' "${BASH_REMATCH[2]}" >>"$work/ids"
        [[ -z ${BASH_REMATCH[1]} ]] || printf '%s\n' "$first" >>"$work/urls"
    fi
    summary "kade2kfp submit: $( ((code)) && echo "failed ($code)" || echo fine)" "$work/told"
done
output run-id "$work/ids"
output run-url "$work/urls"
exit "$status"
