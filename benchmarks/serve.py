"""Our server beside llama.cpp's own, same GGUF, same threads, rounds interleaved in one run.

    python benchmarks/serve.py --model autoglm-phone-nano --rounds 5

Prints a table of medians with their spread, the ratios, and memory; writes every sample to a JSON file.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.client import ChatClient, Stream
from benchmarks.servers import OURS, PEER, free_port, our_command, peer_command, resident_bytes, running

Samples = dict[str, float]
LONG_PROMPT_TOKENS = 1500
MEDIA_AT_ONCE = 5
WORDS = (
    "river",
    "stone",
    "window",
    "paper",
    "garden",
    "copper",
    "letter",
    "morning",
    "shadow",
    "market",
    "silver",
    "bridge",
)


# Sent to both, because each has another default, and the work is to be the same.
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


# Long answers of plain text. With ignore_eos a decoder soon writes control tokens, which have no text to be timed by.
COUNTING = (
    "Count from 1 to 300, separated by commas.",
    "Write the numbers from 1 to 400.",
    "Count up from 100 to 500.",
)


def made_up_text(seed: int, num_words: int) -> str:
    """About one token a word; another text for each seed, so that no cache helps by chance."""
    words = [WORDS[(seed * 7 + i * i + i * seed) % len(WORDS)] for i in range(num_words)]
    return f"Note {seed}: " + " ".join(words)


async def single_stream(client: ChatClient, seed: int) -> Samples:
    stream = await client.chat([SYSTEM, user(made_up_text(seed, 150))], 128)
    return {"decode, 1 stream [tok/s]": stream.decode_tokens_per_s}


async def eight_streams(client: ChatClient, seed: int) -> Samples:
    streams = await asyncio.gather(*(client.chat([SYSTEM, user(made_up_text(seed + k, 40))], 128) for k in range(8)))
    start = min(stream.start_s for stream in streams)
    end = max(stream.token_s[-1] for stream in streams)
    decode_start = max(stream.token_s[0] for stream in streams)
    decoded = [sum(second >= decode_start for second in stream.token_s) for stream in streams]
    return {
        "8 streams, prompts included [tok/s]": sum(stream.completion_tokens for stream in streams) / (end - start),
        "decode, 8 streams [tok/s]": sum(decoded) / (min(s.token_s[-1] for s in streams) - decode_start),
    }


async def two_turns(client: ChatClient, seed: int) -> Samples:
    turns = [SYSTEM, user(made_up_text(seed, LONG_PROMPT_TOKENS))]
    cold = await client.chat(turns, 16)
    turns += [{"role": "assistant", "content": cold.text}, user("And what else?")]
    warm = await client.chat(turns, 16)
    return {"TTFT cold, 1,500 tokens [s]": cold.ttft_s, "TTFT second turn [s]": warm.ttft_s}


async def streams_while_a_prompt_arrives(client: ChatClient, seed: int) -> Samples:
    async def intrude() -> Stream:
        await asyncio.sleep(1.5)
        return await client.chat([SYSTEM, user(made_up_text(seed + 50, LONG_PROMPT_TOKENS))], 8)

    running_streams = [client.chat([SYSTEM, user(f"{text} ({seed})")], 200) for text in COUNTING]
    *streams, long = await asyncio.gather(*running_streams, intrude())
    gaps = sorted(gap for stream in streams for gap in stream.gaps_s)
    return {
        "ITL p99, 3 streams beside a 1,500-token prompt [s]": gaps[int(len(gaps) * 0.99)],
        "ITL max, 3 streams beside a 1,500-token prompt [s]": gaps[-1],
        "TTFT of that prompt [s]": long.ttft_s,
    }


Measure = Callable[[ChatClient, int], Awaitable[Samples]]
MEASURES: list[Measure] = [single_stream, eight_streams, two_turns, streams_while_a_prompt_arrives]


async def streams_while_media_are_read(client: ChatClient, media: list[dict[str, Any]], seed: int) -> Samples:
    """Ours alone: the peer cannot take these files. Five media at once beside three streams."""

    async def attach(part: dict[str, Any]) -> Stream:
        await asyncio.sleep(1.0)
        return await client.chat(
            [SYSTEM, {"role": "user", "content": [part, {"type": "text", "text": "What is this?"}]}], 8
        )

    running_streams = [client.chat([SYSTEM, user(f"{text} ({seed})")], 200) for text in COUNTING]
    streams = (await asyncio.gather(*running_streams, *map(attach, media)))[:3]
    gaps = sorted(gap for stream in streams for gap in stream.gaps_s)
    return {
        "ITL p99, 3 streams beside 5 media [s]": gaps[int(len(gaps) * 0.99)],
        "ITL max, 3 streams beside 5 media [s]": gaps[-1],
    }


def media_parts(folder: Path, number: int) -> list[dict[str, Any]]:
    """Three screenshots and two clips as content parts, others in each round: none is in the cache."""
    pictures = _window(sorted(folder.glob("screens/*.[pj][np]g")), number, 3)
    sounds = _window(sorted(folder.glob("audio/barista_dev/*.wav")), number, 2)
    parts: list[dict[str, Any]] = []
    for path in pictures:
        url = "data:image/*;base64," + base64.b64encode(path.read_bytes()).decode()
        parts.append({"type": "image_url", "image_url": {"url": url}})
    for path in sounds:
        data = base64.b64encode(path.read_bytes()).decode()
        parts.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
    return parts


def _window(files: list[Path], number: int, size: int) -> list[Path]:
    return files[number * size : (number + 1) * size]


def report(rounds: dict[str, list[Samples]]) -> list[str]:
    """A Markdown table: median and range of each side, and the ratio of the medians."""
    lines = [f"| measure | {OURS} | {PEER} | ratio |", "|---|---|---|---|"]
    names = list(dict.fromkeys(name for samples in rounds.values() for sample in samples for name in sample))
    for name in names:
        cells, medians = [], []
        for side in (OURS, PEER):
            values = [sample[name] for sample in rounds[side] if name in sample]
            if values:
                medians.append(statistics.median(values))
                cells.append(f"{medians[-1]:.3g} ({min(values):.3g}–{max(values):.3g})")
            else:
                cells.append("–")
        ratio = f"{medians[0] / medians[1]:.3f}" if len(medians) == 2 else "–"
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {ratio} |")
    return lines


async def measure(arguments: argparse.Namespace, log_folder: Path) -> tuple[dict[str, list[Samples]], dict[str, float]]:
    ports = {OURS: free_port(), PEER: free_port()}
    threads = os.cpu_count() or 1
    our = our_command(ports[OURS], arguments.model)
    peer = peer_command(ports[PEER], arguments.gguf, threads)
    rounds: dict[str, list[Samples]] = {OURS: [], PEER: []}
    facts: dict[str, float] = {}
    with running(our, log_folder / "ours.log") as process, running(peer, log_folder / "peer.log") as peer_process:
        clients = {side: ChatClient(f"http://127.0.0.1:{port}") for side, port in ports.items()}
        for client in clients.values():
            await client.wait_until_healthy()
            await client.chat(
                [SYSTEM, user("Hello")], 16
            )  # both sides have touched their weights before the clock starts
        for number in range(arguments.rounds):
            seed = 1000 * (number + 1)
            for side in (OURS, PEER) if number % 2 == 0 else (PEER, OURS):
                samples: Samples = {}
                for index, take in enumerate(MEASURES):
                    if arguments.only in (None, take.__name__):
                        samples |= await take(clients[side], seed + 100 * index)
                rounds[side].append(samples)
                print(f"round {number + 1} {side}: {json.dumps(samples)}", flush=True)
            if arguments.media is not None:
                media = media_parts(arguments.media, number)
                if len(media) == MEDIA_AT_ONCE:
                    rounds[OURS][-1] |= await streams_while_media_are_read(clients[OURS], media, seed + 900)
        facts["resident bytes, ours"] = resident_bytes(process.pid)
        facts["resident bytes, peer"] = resident_bytes(peer_process.pid)
        for client in clients.values():
            await client.close()
    return rounds, facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="autoglm-phone-nano", help="what ours serves")
    parser.add_argument("--gguf", type=Path, required=True, help="the same decoder's file, for the peer")
    parser.add_argument("--media", type=Path, help="folder with screens/*.png and audio/barista_dev/*.wav")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=[take.__name__ for take in MEASURES], help="one measure instead of all")
    parser.add_argument("--out", type=Path, help="write all samples here as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds, facts = asyncio.run(measure(arguments, Path(folder)))
    print("\n".join(report(rounds)))
    for name, value in facts.items():
        print(f"{name}: {value / 1e6:.0f} MB")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"rounds": rounds, "facts": facts}, indent=1))


if __name__ == "__main__":
    main()
