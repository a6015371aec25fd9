#!/bin/sh
# Prints a Python of the version $1 (such as 3.12) that works: a shim of pyenv may be there, and fail.
for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python /usr/bin/python"$1"; do
    if "$python" -c 'import sys, ensurepip, venv
sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$1" 2>/dev/null; then
        echo "$python"
        exit
    fi
done
exit 1
