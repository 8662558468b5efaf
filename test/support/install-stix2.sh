#!/bin/sh
# The OASIS library of STIX 2.1, which reads strictly, for test/bundle/stix.test.ts: in a Python environment of its own.
# Needs Python 3 with venv; no root.
set -eu
root=${CUSTODY_STIX2_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/custody-test/stix2}
if ! "$root/bin/python" -c 'import stix2' 2>/dev/null; then
  python3 -m venv "$root"
  "$root/bin/pip" install -q --disable-pip-version-check stix2==3.0.2
fi
"$root/bin/python" -c 'import stix2; print("stix2", stix2.__version__)'
echo "stix2 in $root"
