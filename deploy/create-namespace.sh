#!/bin/sh
# Creates the namespace and Sealift's search attributes. Safe to run again: what is there stays.
# Takes TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and NAMESPACE_RETENTION (e.g. 30d) from the environment.
# The attributes are those of contracts/search-attributes.ts; a test compares them.
set -eu
attributes='
SealiftOperation Keyword
SealiftDistribution Keyword
SealiftRegistry Keyword
SealiftCluster Keyword
SealiftPhase Keyword
SealiftParked Bool
'

# A server that has just opened its port may still be joining its ring.
tries=0
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 60 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS is not healthy after $tries tries" >&2
    exit 1
  fi
  sleep 1
done

if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$NAMESPACE_RETENTION"
fi

# Other frontends see a new namespace after their next refresh; the first call after it may fail.
known=''
tries=0
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" --output json 2>/dev/null); do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "namespace $TEMPORAL_NAMESPACE does not answer" >&2; exit 1; }
  sleep 1
done

echo "$attributes" | while read -r name type; do
  [ -n "$name" ] || continue
  case $known in
    *"\"$name\""*) echo "search attribute $name is there" ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "$type" ;;
  esac
done
echo "namespace $TEMPORAL_NAMESPACE is ready"
