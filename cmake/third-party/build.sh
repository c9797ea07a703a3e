#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# build.sh CACHE: makes the third-party parts that CMake links, once, under CACHE/<part>-<version>, from
# Debian's packages as pins.sh pins them. Prints nothing when all is there. A part appears under its
# final name only when it is whole, so a killed run leaves nothing that a later one would trust.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$1
. "$here/pins.sh"
mkdir -p "$cache"
exec 9>"$cache/.building"
flock 9

fail() {
    echo "third-party: $*" >&2
    exit 1
}

# check_file PART FILE SHA256 PACKAGE
check_file() {
    [ -f "$2" ] || fail "$1: $2 is missing; install the Debian package $4 (tools/deps does)"
    [ "$(sha256sum "$2" | cut -d' ' -f1)" = "$3" ] ||
        fail "$1: $2 is not the file that cmake/third-party/pins.sh pins; review the new $4, then change the pin"
}

# A package index of our own with the source packages of the system's own mirrors, so that the system's
# apt configuration stays as it is.
apt_source() {
    apt-get -qq -o Dir::Etc::sourcelist="$apt_list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root "$@" >&2
}

# apt tells the two formats apart by the file's ending.
prepare_apt() {
    [ -d "$work/lists" ] && return
    mkdir -p "$work/lists/partial"
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        apt_list=$work/apt.sources
        sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$apt_list"
    else
        apt_list=$work/apt.list
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt_list"
    fi
    apt_source update || fail "the package index could not be read; is the network there?"
}

# source_package PART VERSION DSC_SHA256
source_package() {
    [ -d "$cache/$1-$2" ] && return
    prepare_apt
    echo "third-party: fetching the source of $1 $2" >&2
    (cd "$work" && apt_source source --download-only "$1=$2") || fail "$1: source package $2 could not be fetched"
    [ "$(sha256sum "$work/$1_$2.dsc" | cut -d' ' -f1)" = "$3" ] ||
        fail "$1: ${1}_$2.dsc is not the one that pins.sh pins"
    (cd "$work" && dpkg-source --no-check -x "$1_$2.dsc" "$1-tree" >/dev/null) || fail "$1: unpacking failed"
    mv "$work/$1-tree" "$cache/$1-$2"
}

newlib() {
    check_file newlib "$newlib_file" "$newlib_sha256" newlib-source
    [ -d "$cache/newlib-$newlib_version" ] && return
    echo "third-party: building newlib $newlib_version (about a minute)" >&2
    mkdir -p "$work/newlib/build"
    tar -C "$work/newlib" --strip-components=1 -xf "$newlib_file"
    (
        cd "$work/newlib/build"
        # The option names: newlib's own README. 64-bit, one thread, no system calls of its own.
        ../newlib/configure --host=x86_64-elf --prefix="$work/newlib/install" --disable-multilib --disable-shared \
            --disable-newlib-supplied-syscalls --enable-newlib-reent-small --disable-newlib-multithread \
            --enable-newlib-global-atexit --enable-newlib-io-long-long --enable-newlib-io-c99-formats \
            --enable-newlib-nano-malloc CC=gcc AR=ar AS=as LD=ld RANLIB=ranlib \
            CFLAGS="-O2 -ffreestanding -fno-pic -fno-pie -mno-red-zone -fno-stack-protector -fcf-protection=none \
                    -ffunction-sections -fdata-sections -w"
        make -j"$(nproc)"
        make install
    ) >"$cache/newlib.log" 2>&1 || fail "newlib did not build; see $cache/newlib.log"
    mv "$work/newlib/install/x86_64-elf" "$cache/newlib-$newlib_version"
}

work=$cache/.work
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
check_file inih "$inih_file" "$inih_sha256" libinih-dev
check_file gnu-efi "$gnu_efi_file" "$gnu_efi_sha256" gnu-efi
newlib
source_package lwip "$lwip_version" "$lwip_dsc_sha256"
source_package mbedtls "$mbedtls_version" "$mbedtls_dsc_sha256"
source_package zydis "$zydis_version" "$zydis_dsc_sha256"
source_package cjson "$cjson_version" "$cjson_dsc_sha256"
