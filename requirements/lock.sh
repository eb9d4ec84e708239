#!/usr/bin/env bash
# Pins every Python package, with hashes, from what pyproject.toml asks for. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."
compile() { # OUT GROUP
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --group "$2" --extra all pyproject.toml -o "requirements/$1"
}
compile run.lock build
compile dev.lock check
