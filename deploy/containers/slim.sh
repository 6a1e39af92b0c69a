#!/bin/sh
# Takes out of /opt/venv what never runs in a container. Run it with the environment's own Python on PATH.
set -eu
venv=/opt/venv

# Debug symbols are nine tenths of it.
strip --strip-unneeded "$venv"/lib/python3.*/site-packages/uvloop/loop.*.so
find "$venv"/lib/python3.*/site-packages -type d -name tests -prune -exec rm -rf {} +

# What installs, and the build backend where nothing that runs asks for it.
if python -m pip show --quiet pbr 2>/dev/null; then
    python -m pip uninstall --quiet --yes pip
else
    python -m pip uninstall --quiet --yes setuptools pip
fi
