"""Compiles a grammar for the first time where nothing is lost if that never ends (`python -m` this module).

Limits do not bound llguidance's compiler: twenty-four expressions joined by `&`, 400 bytes, keep it busy for a minute
inside one step of its counting. So an unknown grammar goes through a child process first: it in, its fault out.
"""

import contextlib
import os
import resource
import subprocess
import sys

from llguidance import LLTokenizer

from autoglm_phone.backends.grammar.matcher import GrammarFailed, compiled

MODULE = "autoglm_phone.backends.grammar.trial"
CPU_S = 2
MEMORY_BYTES = 2 << 30  # of address space; the deep stack is a quarter of it
NICE = 5  # streams keep three quarters of a core; at 10 a harmless grammar would wait a second beside them
PATIENCE_S = 30.0  # the child is nice, so streams may hold it up for longer than it computes
TOO_COMPLEX = "it is too complex to be compiled"


def trial_fault(grammar: str, *, cpu_s: int = CPU_S) -> str:
    """What is wrong with the grammar, or nothing. Takes 0.1 s at least: for a thread."""
    command = [sys.executable, "-P", "-m", MODULE, str(cpu_s)]  # -P: nothing is imported from the working folder
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=grammar.encode(), capture_output=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return TOO_COMPLEX
    return child.stdout.decode(errors="replace") if child.returncode == 0 else TOO_COMPLEX


def main() -> None:
    limits = {resource.RLIMIT_CPU: int(sys.argv[1]), resource.RLIMIT_AS: MEMORY_BYTES, resource.RLIMIT_CORE: 0}
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    with contextlib.suppress(OSError):
        os.nice(NICE)
    try:
        compiled(LLTokenizer("byte"), sys.stdin.buffer.read().decode())
    except GrammarFailed as error:
        sys.stdout.buffer.write(str(error).encode())


if __name__ == "__main__":
    main()
