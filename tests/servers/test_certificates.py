import re
import subprocess
from pathlib import Path

import pytest

from .certificates import Certificate, Certificates, make_certificates
from .process import UnavailableError


def faults(certificates: Certificates, certificate: Certificate) -> list[str]:
    """What openssl finds wrong with a certificate for a server called localhost, by the strict rules of RFC 5280."""
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost"]
    done = subprocess.run(
        [*command, "-CAfile", str(certificates.ca_file), str(certificate.path)], capture_output=True, text=True
    )
    assert (done.returncode == 0) == done.stdout.endswith(": OK\n")
    return re.findall(r"^error \d+ at \d depth lookup: (.*)$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("good", []),
        ("wrong_name", ["hostname mismatch"]),
        ("expired", ["certificate has expired"]),
        ("self_signed", ["self-signed certificate"]),
    ],
)
def test_each_bad_certificate_has_its_one_fault(certificates: Certificates, name: str, found: list[str]) -> None:
    assert faults(certificates, getattr(certificates, name)) == found


def test_without_openssl_the_reason_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="apt-get install openssl"):
        make_certificates(tmp_path)
