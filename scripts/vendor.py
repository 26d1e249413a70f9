"""Put the packages that the pages use into server/web/vendor; `make vendor` runs this, with npm.

scripts/web/package-lock.json pins them with their digests. What lands here is committed, so that neither an
installation nor a build needs npm; vendor/vendor.json says where each file comes from, and a test holds it to that.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKED = ROOT / "scripts" / "web"
VENDOR = ROOT / "src" / "autoglm_phone" / "server" / "web" / "vendor"


@dataclass(frozen=True)
class Taken:
    """A file of a package, and its name here. added: what is written behind it."""

    package: str
    path: str
    name: str
    added: str = ""


FILES = (
    Taken("marked", "lib/marked.esm.js", "marked.js"),
    Taken("marked", "LICENSE", "marked.LICENSE"),
    Taken("@highlightjs/cdn-assets", "es/highlight.min.js", "highlight.js"),
    Taken("@highlightjs/cdn-assets", "LICENSE", "highlight.LICENSE"),
    # the small build is a script, not a module
    Taken("temml", "dist/temml.min.js", "temml.js", added="\nexport default temml;\n"),
    Taken("temml", "dist/Temml-Local.css", "temml.css"),
    Taken("temml", "dist/Temml.woff2", "Temml.woff2"),
    Taken("temml", "LICENSE", "temml.LICENSE"),
)


def main() -> int:
    locked = json.loads((LOCKED / "package-lock.json").read_text())["packages"]
    with tempfile.TemporaryDirectory() as folder:
        for name in (".npmrc", "package.json", "package-lock.json"):
            shutil.copy(LOCKED / name, folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
        shutil.rmtree(VENDOR, ignore_errors=True)
        VENDOR.mkdir()
        taken = [take(one, Path(folder) / "node_modules", locked[f"node_modules/{one.package}"]) for one in FILES]
    (VENDOR / "vendor.json").write_text(json.dumps(taken, indent=2) + "\n")
    return 0


def take(one: Taken, modules: Path, locked: dict[str, Any]) -> dict[str, str]:
    data = (modules / one.package / one.path).read_bytes() + one.added.encode()
    (VENDOR / one.name).write_bytes(data)
    return {
        "file": one.name,
        "package": one.package,
        "version": locked["version"],
        "path": one.path,
        "licence": locked["license"],
        "integrity": locked["integrity"],
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    sys.exit(main())
