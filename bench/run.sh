#!/usr/bin/env bash
# Runs every bench in turn; results land in bench/results. Machines are noisy: quote medians of several runs and ratios.
set -euo pipefail
cd "$(dirname "$0")/.."
for bench in bench/*.bench.ts; do
  echo "== $bench"
  node --expose-gc --import tsx "$bench"
done
