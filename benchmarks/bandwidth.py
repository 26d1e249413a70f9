"""Decode of a large model beside what memory gives: a token reads every weight once, and nothing goes faster.

    autoglm-phone synth 9b --type q4_k_m --out build/9b
    python -m benchmarks.bandwidth --model build/9b --gguf build/9b/text-q4_k_m.gguf --sides autoglm-phone

The limit is what threads that only read get of the memory, in the same round, by the bytes of the file that a token
needs: all but the table of embeddings, of which it takes one row.
"""

import threading
import time

import gguf
import numpy as np

from benchmarks.prompts import SYSTEM, user
from benchmarks.record import Taken
from benchmarks.rounds import Question, Round, ask, decoder, parser

FEW, MANY = 4, 36  # tokens; the difference of both runs is decoding alone
BYTES_A_THREAD, TRIES = 1 << 29, 8


async def once(this: Round) -> Taken:
    seconds = []
    for max_tokens in (FEW, FEW, MANY):  # the first one reads the prompt, the others find it cached
        stream = await this.client.chat([SYSTEM, user(f"Say something about {this.seed}.")], max_tokens)
        seconds.append(stream.seconds)
    decode = (MANY - FEW) / (seconds[2] - seconds[1])
    read = read_bytes_per_s(this.options.threads)
    limit = read / bytes_a_token(str(decoder(this.options)))
    return Taken(
        {
            "decode, 1 stream [tok/s]": decode,
            "memory, read only [GB/s]": read / 1e9,
            "limit by it [tokens a second]": limit,
            "share of the limit [%]": 100 * decode / limit,
        }
    )


def bytes_a_token(path: str) -> int:
    """Of the weights of a decoder's file. One without a head of its own uses the embeddings for it, all of them."""
    sizes = {tensor.name: int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors}
    if "output.weight" in sizes:
        del sizes["token_embd.weight"]
    return sum(sizes.values())


def read_bytes_per_s(num_threads: int) -> float:
    """The best of some tries: the machine is noisy, and a limit is what is possible."""
    parts = [np.ones(BYTES_A_THREAD // 4, np.float32) for _ in range(num_threads)]
    best_s = min(_together_s(parts) for _ in range(TRIES))
    return num_threads * BYTES_A_THREAD / best_s


def _together_s(parts: list[np.ndarray]) -> float:
    threads = [threading.Thread(target=part.max) for part in parts]  # numpy holds no lock while it computes
    start_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start_s


QUESTION = Question("bandwidth", "Decode of a large model beside the bandwidth of memory", once)

if __name__ == "__main__":
    ask(QUESTION, parser(__doc__).parse_args())
