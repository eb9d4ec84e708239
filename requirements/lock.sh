#!/usr/bin/env bash
# Pins every Python package, with hashes, from what pyproject.toml asks for. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."
compile() { # OUT OPTION...
  local out=requirements/$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links "$@" -o "$out"
}
compile run.lock --group build --extra all pyproject.toml
compile dev.lock --group check --extra all pyproject.toml
compile release.lock --group release
