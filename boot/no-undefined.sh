#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# no-undefined.sh FILE: fails if the shared object leaves a symbol undefined (ld -shared does not mind).
undefined=$(nm -u "$1" | sed 's/^ *U *//') || exit 1
if [ -n "$undefined" ]; then
    echo "boot: undefined symbols in $1:" $undefined >&2
    exit 1
fi
