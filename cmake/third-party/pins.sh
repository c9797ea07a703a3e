# SPDX-License-Identifier: BSD-2-Clause
# What third-party parts are built from: Debian 12's packages, by version and SHA-256 of the file that
# counts. A file that differs stops the build: look at what changed, then change the pin.

# Files that packages install.
newlib_version=3.3.0-1.3+deb12u1
newlib_file=/usr/src/newlib/newlib-3.3.0.tar.xz
newlib_sha256=c6f3a88b9d93420904241b231ca8647303be3bfb3cfef6adc8d1ea9207291033

inih_version=55-1
inih_file=/usr/lib/x86_64-linux-gnu/libinih.a
inih_sha256=b634bef519335996335935c35226c2ce2cae020af9d943286c50c95e008d12b8

gnu_efi_version=3.0.15-1
gnu_efi_file=/usr/lib/libefi.a
gnu_efi_sha256=06d00bd17b8ae48abb35388f685f8701e4e666fe00e56aa0cfa4cf9dbc2d8a48

# Source packages: the .dsc names the checksum of every file of the package.
lwip_version=2.1.3+dfsg1-2
lwip_dsc_sha256=8d8f944db8e6d542fc2d6f01559078fb1b5dda71651c67ee5fa3571ed1342c50

mbedtls_version=2.28.3-1
mbedtls_dsc_sha256=a8bf91b5ffb40654efb0ebe0c962ac1e87b8eed5e104880982eaa70dd4bb33e3

zydis_version=4.0.0-1
zydis_dsc_sha256=8e7b771381f70bb00d915bba8af9a4bdd716576c3ff09a1dc8b57e77beba67f7

cjson_version=1.7.15-1+deb12u4
cjson_dsc_sha256=764c2de141d680f4fb4cada30c526dacaa30ead061b9b9c34f2b81e2df0f8439
