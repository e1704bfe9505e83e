#!/usr/bin/env bash
# Everything a change must pass: set-up, static checks, the whole suite. Ends with how long each part took and, for CI, with one
# line `N passed, N failed`. Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh
report=.cache/vitest-report.json

run_suite() {
  rm -f "$report"
  node_modules/.bin/vitest run --reporter=default --reporter=json --outputFile.json="$report" "$@" || suite=$?
}

suite=0
part 'set-up' tools/setup.sh
part 'checks' make --no-print-directory check
part 'suite' run_suite "$@"
printf '\n%s\n' "$durations"
node tools/summary.mjs "$report" || suite=$?
exit "$suite"
