#!/bin/sh
# The Debian packages that the tests need: the scripts that run inside pods are tested on each of these shells and awks,
# local runs with podman, a step is entered by ssh, a model of PyTorch is served, and completion is tried in each shell.
# Prints those that are missing, one a line; with --note, one line for a person; with --install, installs them.
missing() {
    for command in busybox crun fish gawk make mawk original-awk podman shellcheck zsh; do
        command -v "$command" >/dev/null 2>&1 || echo "$command"
    done
    command -v ssh >/dev/null 2>&1 || echo openssh-client
    [ -x /usr/sbin/sshd ] || command -v sshd >/dev/null 2>&1 || echo openssh-server
    [ -e /usr/lib/python3/dist-packages/torch ] || echo python3-torch # a small one without CUDA, which PyPI does not have
    # Debian's python3 comes without what makes virtual environments; uv does without it.
    command -v uv >/dev/null 2>&1 || python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
        return
    fi
    log=$(mktemp) || return
    export DEBIAN_FRONTEND=noninteractive
    # Two runs on one machine wait for each other. An update that fails is no matter where the lists are good enough.
    apt-get -o DPkg::Lock::Timeout=120 update >"$log" 2>&1
    # shellcheck disable=SC2086 # one word a package
    if ! apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends $1 >>"$log" 2>&1; then
        cat "$log" >&2
    fi
    rm -f "$log"
}

packages=$(missing | tr '\n' ' ')
case ${1-} in
--note)
    [ -z "$packages" ] || echo "note: some tests need what is not here: apt-get install $packages" >&2
    ;;
--install)
    [ -z "$packages" ] || install_packages "$packages"
    packages=$(missing | tr '\n' ' ')
    if [ -n "$packages" ]; then
        echo "packages: not here, and not installed: $packages" >&2
        exit 1
    fi
    ;;
*) missing ;;
esac
