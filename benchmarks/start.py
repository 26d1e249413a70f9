"""Seconds from the start of the process to the word that all modules are ready; files have been read once before.

    python -m benchmarks.start --rounds 5

A round starts one side after another, each alone. The peers load a decoder and nothing else.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.client import ChatClient
from benchmarks.processes import free_port, running
from benchmarks.record import Taken, save, to_record
from benchmarks.rounds import decoder, describe, parser
from benchmarks.sides import Side, chosen

READY, TITLE = "start to ready [s]", "Start to ready, second start, all modules"


async def started(side: Side) -> Taken:
    port, start_s = free_port(), time.perf_counter()
    client = ChatClient(f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory() as folder, running(side.command(port), Path(folder) / "log", side.environment):
        await client.wait_until_ready()
        seconds = time.perf_counter() - start_s
    await client.close()
    return Taken({READY: seconds})


def main() -> None:
    options = parser(__doc__).parse_args()
    sides = [side for side in chosen(options, decoder(options), None) if not side.absent]
    rounds: dict[str, list[Taken]] = {side.name: [] for side in sides}
    for number in range(-1, options.rounds):  # the first start reads the files into memory and does not count
        for side in sides:
            taken = asyncio.run(started(side))
            if number >= 0:
                rounds[side.name].append(taken)
                print(f"start, round {number + 1}, {side.name}: {taken.values}", flush=True)
    notes = {side.name: describe(side) for side in sides}
    save(to_record("start", TITLE, options.model, {}, notes, rounds), options.out)


if __name__ == "__main__":
    main()
