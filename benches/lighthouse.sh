#!/usr/bin/env bash
# Lighthouse over the page of a library: tests nothing, tells the four scores. Usage: benches/lighthouse.sh LIBRARY OUT
set -eu
out=$2; mkdir -p "$out"
log=$(mktemp)
.venv/bin/python -m snapseek serve "$1" --port 0 2>"$log" & server=$!
trap 'kill $server; rm -f "$log"' EXIT
for _ in $(seq 100); do grep -q http:// "$log" && break; sleep 0.2; done
address=$(grep -om1 'http://[^ ]*' "$log")
CHROME_PATH=$(command -v chromium || command -v google-chrome) npx --yes lighthouse@13.5.0 "$address" --quiet \
  --only-categories=performance,accessibility,best-practices,seo --preset=desktop \
  --chrome-flags='--headless=new --no-sandbox --disable-gpu' --output=json --output-path="$out/lighthouse.json"
node -e 'const r=JSON.parse(require("fs").readFileSync(process.argv[1]));
for (const c of Object.values(r.categories)) console.log(c.title, Math.round(c.score*100));
for (const a of Object.values(r.audits)) if (a.score !== null && a.score < 0.9 && a.scoreDisplayMode !== "informative") console.log("  ", a.id, a.score, a.displayValue ?? "");' "$out/lighthouse.json"
