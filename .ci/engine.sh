#!/usr/bin/env bash
# A real Docker Engine, Compose and the images that docker-compose.yml names, on a Debian 12
# machine that reaches Debian's packages but no image registry. Needs root.
#
# The images are stand-ins built from Debian's own packages under the official names, so that
# docker-compose.yml is tested unchanged. Where the official images can be pulled, nothing of
# this is needed (see .github/workflows/tests.yml).
#
# Safe to run again: what is there already is kept. A stand-in is built anew when its folder
# under images/ changed; an image of that name that is no stand-in is never touched.
set -euo pipefail
cd "$(dirname "$0")"

log=/var/log/rabbitmq-labs-ci.log # what the steps below print; shown when one fails
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "ci: $*"; }

# run WHAT COMMAND …: quiet, unless it fails.
run() {
  local what=$1
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  tail -20 "$log"
  say "$what failed; its last lines are above"
  exit 1
}

install_engine() {
  local program
  for program in dockerd debootstrap iptables; do
    command -v "$program" >/dev/null && continue
    say "installing the Docker Engine from Debian"
    ../bin/apt-install docker.io debootstrap iptables
    return
  done
}

start_engine() {
  docker version >/dev/null 2>&1 && return
  say "starting dockerd"
  # The pid file of an engine that was killed would keep this one from starting, once
  # something else has its pid.
  grep -qs dockerd "/proc/$(cat /var/run/docker.pid 2>/dev/null || echo none)/comm" || rm -f /var/run/docker.pid
  # Its own session, and no inherited stdin or stdout: CI must not wait for it to end.
  setsid dockerd >/var/log/dockerd-ci.log 2>&1 </dev/null &
  for _ in $(seq 120); do
    docker version >/dev/null 2>&1 && return
    sleep 0.5
  done
  tail -20 /var/log/dockerd-ci.log
  say "dockerd did not answer within 60 s; its last lines are above"
  exit 1
}

image_exists() { docker image inspect "$1" >/dev/null 2>&1; }

base_image() {
  image_exists debian:trixie-slim && return
  say "building debian:trixie-slim with debootstrap"
  run debootstrap debootstrap --variant=minbase trixie "$work/trixie"
  tar -C "$work/trixie" -c . | docker import - debian:trixie-slim >/dev/null
}

compose_plugin() {
  docker compose version >/dev/null 2>&1 && return
  say "taking the Compose plugin from Debian trixie"
  local plugins=/usr/libexec/docker/cli-plugins
  mkdir -p "$work/compose" "$plugins"
  run "fetching Compose" docker run --rm -v "$work/compose:/out" debian:trixie-slim sh -ec '
    apt-get update -q
    cd /tmp && apt-get download -q docker-compose
    dpkg -x docker-compose_*.deb /out'
  cp "$work/compose$plugins/docker-compose" "$plugins/"
  docker compose version >/dev/null
}

# build NAME FOLDER [build arguments …]
build() {
  local name=$1 folder=$2 label=rabbitmq-labs.stand-in sum there
  shift 2
  # Of file names, contents and build arguments: what makes a different image.
  sum=$({ find "images/$folder" -type f | LC_ALL=C sort | xargs -d '\n' sha256sum; echo "$*"; } | sha256sum | cut -c1-16)
  if image_exists "$name"; then
    there=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$name")
    case $there in
      "$sum") return ;;
      "") say "keeping $name, which is no stand-in made here"; return ;;
    esac
  fi
  say "building the stand-in image $name"
  # BuildKit would need a plugin that Debian 12 does not have.
  DOCKER_BUILDKIT=0 run "building $name" docker build --force-rm --label "$label=$sum" -t "$name" "$@" "images/$folder"
}

install_engine
start_engine
base_image
compose_plugin
build rabbitmq:4.3-management rabbitmq --build-arg SUITE=sid
build rabbitmq:4.0-management rabbitmq --build-arg SUITE=trixie
build haproxy:3.2 haproxy
build redis:8 redis
say "Docker Engine ready: $(docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^(rabbitmq|haproxy|redis):' | sort | paste -sd' ')"
