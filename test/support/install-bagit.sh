#!/bin/sh
# The Library of Congress' BagIt validator for test/e2e/bundle.test.ts, in a Python environment of its own.
set -eu
root=${CUSTODY_BAGIT_ROOT:-/opt/custody-test/bagit}
if [ ! -x "$root/bin/bagit.py" ]; then
  python3 -m venv "$root"
  "$root/bin/pip" install --quiet 'bagit==1.9.0' 'setuptools==80.9.0'
fi
"$root/bin/python" -c 'import bagit; print("bagit", bagit.VERSION)'
