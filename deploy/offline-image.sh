#!/usr/bin/env bash
# Build and try the image where no container registry can be reached (Debian, as root). Bento first: make bento.
# The base image is made from this machine's own apt sources, and its certificates are lent to the build.
#
#   deploy/offline-image.sh                    all steps: engine base image try
#   deploy/offline-image.sh image try          some of them
#   eval "$(deploy/offline-image.sh env)"      what a podman command by hand needs
set -euo pipefail
cd "$(dirname "$0")/.."

STATE=${STATE:-$PWD/var/containers}  # engine settings, logs and images
BASE=localhost/python:3.11-slim       # podman finds it under the name that BentoML asks for, and pulls nothing
IMAGE=${IMAGE:-localhost/credit-scoring:latest}
BENTO=${BENTO:-credit_scoring:latest}
CA=/etc/ssl/certs/ca-certificates.crt  # Debian's place for it, here and in the image
export PATH="$PWD/.venv/bin:$PATH" BENTOML_DO_NOT_TRACK=True BENTOML_HOME=${BENTOML_HOME:-$PWD/var/bentoml}
export CONTAINERS_CONF=$STATE/containers.conf CONTAINERS_STORAGE_CONF=$STATE/storage.conf

# Root inside a container cannot raise limits, so podman is told to ask for the present ones. Debian's crun refuses
# hybrid cgroups; runc does not.
settings() {
  local processes pid_max
  mkdir -p "$STATE"
  processes=$(ulimit -Hu); pid_max=$(cat /proc/sys/kernel/pid_max)
  if [ "$processes" = unlimited ] || [ "$processes" -gt "$pid_max" ]; then processes=$pid_max; fi
  local files; files=$(ulimit -Hn); [ "$files" != unlimited ] || files=1048576
  cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$STATE/storage" "$STATE/run" \
    >"$CONTAINERS_STORAGE_CONF"
}

engine() {
  if [ "$(command -v podman runc mmdebstrap curl iptables | wc -l)" = 5 ]; then return; fi
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends podman runc mmdebstrap curl netavark iptables >/dev/null
}

base() {  # Debian with its Python, certificates, and uv, which installs the rest
  if podman image exists "$BASE"; then return; fi
  if [ "$(. /etc/os-release && echo "$ID $VERSION_CODENAME")" != "debian bookworm" ]; then
    echo "Only Debian 12 has Python 3.11 of its own; the base comes from the registry."
    podman pull -q docker.io/library/python:3.11-slim && podman tag docker.io/library/python:3.11-slim "$BASE"
    return
  fi
  local sources=() file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    if [ -s "$file" ]; then sources+=("$file"); fi
  done
  apt-config dump | grep -E '^Acquire::(Check-|Retries|https?::Proxy)' >"$STATE/apt.conf" || true
  TMPDIR=${BASE_TMPDIR:-/dev/shm} mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates --aptopt="$STATE/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="copy-in $(command -v uv) /usr/local/bin" \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$STATE/base.tar" "${sources[@]}"
  podman import -q --change "ENV SSL_CERT_FILE=$CA" "$STATE/base.tar" "$BASE"
  rm "$STATE/base.tar"
}

image() {
  ENGINE=podman deploy/image.sh "$BENTO" "$IMAGE" --opt network=host --opt volume="$CA:$CA:ro" \
    >"$STATE/image.log" 2>&1 || { tail -20 "$STATE/image.log"; return 1; }
}

try() {
  ENGINE=podman deploy/try-image.sh "$IMAGE"
}

[ $# -gt 0 ] || set -- engine base image try
settings
for step; do
  case $step in
    env) echo "export CONTAINERS_CONF='$CONTAINERS_CONF' CONTAINERS_STORAGE_CONF='$CONTAINERS_STORAGE_CONF'" ;;
    engine|base|image|try) echo "$step"; "$step" ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
  esac
done
