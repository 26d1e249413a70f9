"""All questions one after another, each in a process of its own, then docs/performance.md.

    python -m benchmarks.all            # everything, five rounds: some hours
    python -m benchmarks.all --quick    # the shorter questions, two rounds, ours and llama-server: under 20 minutes

Further arguments go to every question, after its own.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.sides import ROOT

QUICK: dict[str, list[str]] = {
    "chat": [],
    "prefill": [],
    "dialogue": [],
    "phone_session": ["--steps", "4"],
    "voice": [],
    "same_screen": [],
    "schema": [],
    "beside_prompt": [],
    "start": ["--sides", "autoglm-phone"],
}
FULL: dict[str, list[str]] = {question: [] for question in (*QUICK, "mixed", "load", "beside_media")}
QUICK_ARGUMENTS = ["--rounds", "2", "--sides", "autoglm-phone,llama-server"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench", help="folder for results (build/bench)")
    options, further = parser.parse_known_args()
    questions, common = (QUICK, QUICK_ARGUMENTS) if options.quick else (FULL, [])
    failed = []
    for question, arguments in questions.items():
        command = [sys.executable, "-m", f"benchmarks.{question}", *common, *arguments]
        command += ["--out", str(options.out), *further]
        if subprocess.run(command, check=False).returncode:
            failed.append(question)
    subprocess.run([sys.executable, "-m", "benchmarks.report", "--results", str(options.out)], check=True)
    if failed:
        sys.exit(f"no figures of: {', '.join(failed)}; see above")


if __name__ == "__main__":
    main()
