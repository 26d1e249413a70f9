"""What is sent. The same seed gives the same text on every side, another seed a text that no cache knows."""

from typing import Any

Message = dict[str, Any]

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
# Sent to all, because each has another default, and the work is to be the same.
SYSTEM: Message = {"role": "system", "content": "You are a helpful assistant."}
# Long answers of plain text. With ignore_eos a decoder soon writes control tokens, which have no text to be timed by.
COUNTING = (
    "Count from 1 to 300, separated by commas.",
    "Write the numbers from 1 to 400.",
    "Count up from 100 to 500.",
)
CHAT_WORDS, CHAT_ANSWER_TOKENS = 160, 100
LONG_PROMPT_WORDS = 1450


def user(content: str | list[dict[str, Any]]) -> Message:
    return {"role": "user", "content": content}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def made_up_text(seed: int, num_words: int) -> str:
    """About one token a word."""
    words = [WORDS[(seed * 7 + i * i + i * seed) % len(WORDS)] for i in range(num_words)]
    return f"Note {seed}: " + " ".join(words)


def chat(seed: int, num_words: int = CHAT_WORDS) -> list[Message]:
    """About 200 tokens that ask for a long answer of prose, so that ignore_eos changes little in it."""
    return [SYSTEM, user(f"{made_up_text(seed, num_words)}. Write a long letter to a friend about these words.")]


def long_prompt(seed: int) -> list[Message]:
    """About 1,500 tokens."""
    return [SYSTEM, user(made_up_text(seed, LONG_PROMPT_WORDS))]


def counting(seed: int) -> list[list[Message]]:
    """Three dialogues whose answers go on for as long as they may."""
    return [[SYSTEM, user(f"{text} ({seed})")] for text in COUNTING]
