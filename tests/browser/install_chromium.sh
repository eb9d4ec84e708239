#!/usr/bin/env bash
# A browser for the page's tests, where this is a Debian or Ubuntu that lets us install one.
set -eu
if ! command -v apt-get >/dev/null; then
  echo "no chromium found, and no apt-get to install it with: the tests of the page will say so" >&2
  exit 0
fi
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null
