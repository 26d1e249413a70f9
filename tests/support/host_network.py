"""How this machine reaches its package registries, for roots that know nothing: mirrors, proxies, certificates."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
# options of pip that say where packages are and how patiently they are fetched
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
APT_OPTIONS = re.compile(r"Acquire::(https?|ftp|Check-|Retries|ForceIP)")


def debian_mirror() -> str:
    """The first Debian archive that apt is set up with; empty: whoever asks has a default of their own."""
    try:
        if not re.search(r"^ID=debian$", Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE):
            return ""
        files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("debian*"))]
        text = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    except OSError:
        return ""
    found = re.search(r"^(?:deb\s+(?:\[.*?\]\s+)?|URIs:\s*)(https?://\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def apt_settings() -> str:
    """apt.conf lines on how archives are reached."""
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if APT_OPTIONS.match(line) and not line.endswith('"";')]
    return "\n".join([*lines, ""])


def variables(certificates_inside: str) -> dict[str, str]:
    """For a step that fetches packages. Places on this machine's disk are left out: a root cannot see them."""
    env = dict(_proxies(os.environ))
    asked = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    for name, value in _pip_options(said):
        remote = [word for word in value.split() if not word.startswith(("file:", "/"))]
        if name in PIP_OPTIONS and remote:
            env[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(remote)
    if CERTIFICATES.is_file():
        env |= dict.fromkeys(CERTIFICATE_VARIABLES, certificates_inside)
    return env


def what_stops_fetching() -> str:
    """Why a root could get no packages; empty if it could."""
    env = {"PIP_CONFIG_FILE": os.devnull, **variables(str(CERTIFICATES))}
    with tempfile.TemporaryDirectory() as folder:
        words = ["download", "--no-deps", "--no-cache-dir", "--retries=1", f"--dest={folder}", "annotated-doc"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words], env=env, capture_output=True, text=True, check=False
        )
    return done.stderr.strip() if done.returncode else ""


def _proxies(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in PROXY_VARIABLES:
        if value := environ.get(name) or environ.get(name.upper()):
            yield name, value


def _pip_options(said: str) -> Iterator[tuple[str, str]]:
    """Lines like `global.index-url='https://...'`; later ones outweigh earlier ones."""
    for line in said.splitlines():
        key, _, value = line.partition("=")
        if value:
            yield key.rpartition(".")[2], str(ast.literal_eval(value))
