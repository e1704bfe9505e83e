#!/bin/sh
# Creates or upgrades Temporal's two PostgreSQL databases. Safe to run again: what is there stays, newer versions are applied.
# Takes SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD from the environment, as temporal-sql-tool does.
set -eu
export SQL_PLUGIN=postgres12

for schema in temporal visibility; do
  case $schema in
    temporal) SQL_DATABASE=temporal ;;
    visibility) SQL_DATABASE=temporal_visibility ;;
  esac
  export SQL_DATABASE
  temporal-sql-tool create
  temporal-sql-tool setup-schema --version 0.0
  temporal-sql-tool update-schema --schema-name "postgresql/v12/$schema"
done
