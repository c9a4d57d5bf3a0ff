# What .ci/run and .ci/try share, to be sourced: a clean environment, steps that tell how long they took, a folder to work in.

# nothing of the caller's own session decides the outcome, and no golden is rewritten
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV RELCLI_UPDATE_GOLDENS
export CI=true PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
    local name=$1 began=$SECONDS code=0
    shift
    printf '\n== %s\n' "$name"
    "$@" || code=$?
    if ((code)); then
        printf '== %s: failed with %d after %d s\n' "$name" "$code" "$((SECONDS - began))" >&2
        exit "$code"
    fi
    printf '== %s: %d s\n' "$name" "$((SECONDS - began))"
}

# the command that starts Python 3.N, or nothing: one that is on PATH, else pyenv's newest
find_python() {
    local place
    for place in "python3.$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$1".*/bin/python; do
        # pyenv puts commands on PATH that start nothing
        if "$place" -c "import sys; sys.exit(sys.version_info[:2] != (3, $1))" 2>/dev/null; then
            echo "$place"
            return
        fi
    done
}
