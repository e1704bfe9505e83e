# shellcheck shell=bash
# Shared by the scripts in this folder; sourced, not run.

# retry TIMES COMMAND...: registries hiccup; wait a little longer before each new try.
retry() {
  local times=$1 try=1
  shift
  until "$@"; do
    if [ "$try" -ge "$times" ]; then
      echo "gave up after $try tries: $*" >&2
      return 1
    fi
    echo "failed, trying again in $((try * 5)) s: $*" >&2
    sleep $((try * 5))
    try=$((try + 1))
  done
}

durations=''

# part NAME COMMAND...: runs it and keeps how long it took; what takes a second or more is said at once.
part() {
  local name=$1 started=$SECONDS took
  shift
  "$@"
  took=$((SECONDS - started))
  durations+=$(printf '%-18s %5d s' "$name" "$took")$'\n'
  [ "$took" -lt 1 ] || echo "$name: $took s"
}
