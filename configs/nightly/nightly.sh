#!/bin/sh
# Look at the data, score every account, watch the model, write the report: nightly.sh /srv/churn/acme.yaml
# Running it again gives the same rows: the cutoff is the midnight after the data end, never the time of the machine.
set -u
config=${1:?usage: nightly.sh CONFIG}
worst=0

# 0: done. 1: something was found, go on or stay as `on_found` says. 2: unusable, 3: a bug: stop.
run() {
  on_found=$1
  shift
  staypower "$@" --config "$config" --quiet
  code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -le "$worst" ] || worst=$code
  [ "$code" -eq 0 ] || [ "$on_found" = go-on ] || exit "$code"
}

run go-on check   # 1: rows that are wrong, in tables that can be read
run stop score    # 1: the data are not like those of training; the scores of the last night stay
run go-on monitor # 1: limits were passed, or the model should be trained again
run go-on report
exit "$worst"
