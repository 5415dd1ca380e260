"""Certificates that a client must accept, and such that it must refuse, from an authority that lives for one test run.

Made by the `openssl` command: the standard library cannot make certificates.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .process import UnavailableError

# An empty [req] keeps the machine's own openssl.cnf, and what it may add to a certificate, out of this.
_CONFIGURATION = """
[req]
distinguished_name = none
[none]
[authority]
subjectKeyIdentifier = hash
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[ca]
default_ca = tests
[tests]
database = index.txt
rand_serial = yes
new_certs_dir = .
unique_subject = no
default_md = sha256
policy = subject
certificate = ca.pem
private_key = ca.key
[subject]
commonName = supplied
"""
_SERVER = """
[server]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""
_LOOPBACK = "DNS:localhost, IP:127.0.0.1"
_ELSEWHERE = "DNS:imap.example.org"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of a server."""

    path: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 as `openssl x509 -fingerprint` writes it: ``"9F:86:…"``."""
        command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(self.path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("=")[2]


@dataclass(frozen=True, slots=True)
class Certificates:
    """`good`, for localhost and 127.0.0.1, verifies against `ca_file`; each other one fails in the way it says."""

    ca_file: Path
    good: Certificate
    wrong_name: Certificate
    expired: Certificate
    not_yet_valid: Certificate
    self_signed: Certificate


def make_certificates(folder: Path) -> Certificates:
    """Keys and certificates in `folder`. Raises UnavailableError without openssl."""
    if shutil.which("openssl") is None:
        raise UnavailableError("openssl is missing. Install it (Debian: apt-get install openssl).")
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(_CONFIGURATION)
    _openssl(folder, "req", "-x509", *_new_key("ca"), "-days", "2", "-extensions", "authority", "-out", "ca.pem")
    return Certificates(
        ca_file=folder / "ca.pem",
        good=_signed(folder, "good", _LOOPBACK, "20200101000000Z", "20491231000000Z"),
        wrong_name=_signed(folder, "wrong_name", _ELSEWHERE, "20200101000000Z", "20491231000000Z"),
        expired=_signed(folder, "expired", _LOOPBACK, "20200101000000Z", "20210101000000Z"),
        not_yet_valid=_signed(folder, "not_yet_valid", _LOOPBACK, "20480101000000Z", "20491231000000Z"),
        self_signed=_self_signed(folder),
    )


def _signed(folder: Path, name: str, names: str, start: str, end: str) -> Certificate:
    configuration = folder / f"{name}.cnf"
    configuration.write_text(_CONFIGURATION + _SERVER.format(names=names))
    _openssl(folder, "req", *_new_key(name), "-out", f"{name}.csr")
    dates = ["-startdate", start, "-enddate", end]
    # `ca`, since `x509 -req` sets no dates in the past before OpenSSL 3.4
    _openssl(folder, "ca", "-batch", "-notext", "-config", configuration.name, "-extensions", "server", *dates,
             "-in", f"{name}.csr", "-out", f"{name}.pem")  # fmt: skip
    return Certificate(folder / f"{name}.pem", folder / f"{name}.key")


def _self_signed(folder: Path) -> Certificate:
    names = ["-addext", f"subjectAltName={_LOOPBACK}"]
    _openssl(folder, "req", "-x509", *_new_key("self_signed"), "-days", "2", *names, "-out", "self_signed.pem")
    return Certificate(folder / "self_signed.pem", folder / "self_signed.key")


def _new_key(name: str) -> list[str]:
    # A P-256 key takes a millisecond, an RSA key of 2,048 bits a tenth of a second.
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
    return ["-config", "ca.cnf", "-subj", f"/CN=inboxstats tests: {name}", *curve]


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")
