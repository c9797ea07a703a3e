# SPDX-License-Identifier: BSD-2-Clause
"""Keys and certificates for tests, by openssl, in a folder: NAME.pem and NAME-key.pem."""
import subprocess
from pathlib import Path


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def authority(folder, name):
    folder = Path(folder)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", folder / f"{name}-key.pem", "-out", folder / f"{name}.pem",
            "-addext", "basicConstraints=critical,CA:TRUE")


def certificate(folder, name, by, host, days="2", kind="rsa"):
    """For that host, vouched for by that authority; kind: rsa (2048 bits) or ec (P-256)."""
    key = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    folder = Path(folder)
    (folder / "extensions").write_text(f"subjectAltName=DNS:{host}\n")
    openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={host}", "-keyout", folder / f"{name}-key.pem",
            "-out", folder / "request")
    openssl("x509", "-req", "-in", folder / "request", "-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}-key.pem",
            "-CAcreateserial", "-days", days, "-extfile", folder / "extensions", "-out", folder / f"{name}.pem")


def server_folder(folder, by, name):
    """A folder as nbdkit's --tls-certificates wants it."""
    folder = Path(folder)
    pki = folder / "pki"
    pki.mkdir()
    for link, file in (("ca-cert", by), ("server-cert", name), ("server-key", f"{name}-key")):
        (pki / f"{link}.pem").symlink_to(folder / f"{file}.pem")
    return pki
