"""Small child processes for the tests of ipc: `python -m children`; the config says which one."""

import os
import time

from autoglm_phone.core.errors import SetupError
from autoglm_phone.ipc.child import ChildSocket, run_child


def main(child: ChildSocket, config: bytes) -> None:
    match config.decode().split(":"):
        case ["echo"]:
            child.send_ready()
            while (frame := child.receive()) is not None:
                child.send(frame)
        case ["batches"]:
            child.send_ready()
            while not child.is_closed:
                child.wait()
                for frame in child.receive_ready():
                    child.send(frame)
        case ["deaf"]:
            child.send_ready()
            time.sleep(600)
        case ["ends", code]:
            child.send_ready()
            os._exit(int(code))
        case ["cannot load", why]:
            raise SetupError(why)
        case ["crashes"]:
            raise ZeroDivisionError("while loading")
        case ["never ready"]:
            time.sleep(600)
        case ["environment"]:
            child.send(" ".join(sorted(os.environ)).encode())
            child.send(b"%d %d %d" % (os.getpriority(os.PRIO_PROCESS, 0), os.getsid(0), os.getpgrp()))
            child.send_ready()
            child.receive()
        case ["early payload"]:
            child.send(b"first")
            child.send_ready()
            child.receive()
        case ["unknown kind"]:
            child.send_ready()
            child._frames.send(b"\x09")
            time.sleep(600)
        case other:
            raise ValueError(other)


if __name__ == "__main__":
    run_child(main)
