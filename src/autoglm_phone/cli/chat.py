"""`autoglm-phone chat`: a conversation in the terminal with a running server."""

import re
import readline  # noqa: F401  # gives input() line editing and a history
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autoglm_phone.cli.chat_client import ChatClient, Message, audio_part, image_part
from autoglm_phone.core.errors import EngineError, RequestError

HELP = """/image FILE  send a picture with the next message
/audio FILE  send a sound with the next message; an empty line sends it without words
/clear       forget the conversation
/exit        leave (so does Ctrl-D; Ctrl-C stops an answer)"""

# What could move the cursor, recolour or rename the terminal: the text is a model's and may be anybody's.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def chat(
    url: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:8000",
    model: Annotated[str | None, typer.Option(help="Model to ask for, else the one that is served.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="AUTOGLM_API_KEY", help="Key that the server asks for.")] = None,
    system: Annotated[str | None, typer.Option(help="System prompt, else the bundle's own.")] = None,
    thinking: Annotated[bool, typer.Option("--thinking", help="Ask for reasoning before the answer.")] = False,
) -> None:
    """Talk to a running server. /image FILE and /audio FILE attach, /clear forgets, /exit leaves."""
    is_terminal = sys.stdin.isatty()
    console = Console(highlight=False, markup=False)
    with closing(ChatClient(url, api_key=api_key, model=model)) as client:
        name = client.model()
        if is_terminal:
            console.print(f"{name} at {url}. /help lists the commands.", style="dim")
        conversation = ChatLoop(client, console, system=system, is_thinking=thinking)
        failed = conversation.run(lambda: input("> " if is_terminal else ""))
    raise typer.Exit(1 if failed and not is_terminal else 0)


class ChatLoop:
    """The conversation so far, and what is attached to its next message."""

    def __init__(
        self, client: ChatClient, console: Console, *, system: str | None = None, is_thinking: bool = False
    ) -> None:
        self._client = client
        self._console = console
        self._opening: list[Message] = [{"role": "system", "content": system}] if system else []
        self._options = {"enable_thinking": True, "return_reasoning": True} if is_thinking else {}
        self._messages = list(self._opening)
        self._attached: list[Message] = []

    def run(self, read_line: Callable[[], str]) -> bool:
        """Until /exit or the end of input. True if the last message was not answered."""
        failed = False
        while True:
            try:
                line = read_line().strip()
            except EOFError:
                return failed
            except KeyboardInterrupt:
                self._console.print()
                continue
            command, _, rest = line.partition(" ")
            match command:
                case "/exit" | "/quit":
                    return failed
                case "/help":
                    self._console.print(HELP)
                case "/clear":
                    self._messages, self._attached = list(self._opening), []
                    self._note("forgotten")
                case "/image" | "/audio":
                    self._attach(command, Path(rest.strip().strip("'\"")).expanduser())
                case _ if line.startswith("/"):
                    self._note(f"there is no {command}; /help lists the commands")
                case _ if line or self._attached:
                    failed = not self._ask(line)

    def _attach(self, command: str, path: Path) -> None:
        try:
            self._attached.append(image_part(path) if command == "/image" else audio_part(path))
        except OSError as error:
            self._note(f"{path} cannot be read: {error.strerror}")
        else:
            self._note(f"{path.name} goes with the next message")

    def _ask(self, text: str) -> bool:
        """Send a message and print its answer. One that was not answered is taken back."""
        parts = [*self._attached, {"type": "text", "text": text}] if text else list(self._attached)
        self._messages.append({"role": "user", "content": parts if self._attached else text})
        self._attached = []
        answer = ""
        try:
            with closing(self._client.answer(self._messages, self._options)) as pieces:  # type: ignore[type-var]  # a generator has close()
                for piece in pieces:
                    answer += piece.text if piece.kind == "content" else ""
                    self._write(piece.text, style="dim italic" if piece.kind == "reasoning" else "")
        except KeyboardInterrupt:
            self._note(" (stopped)")
        except (RequestError, EngineError) as error:
            self._messages.pop()
            self._note(str(error))
            return False
        self._console.print()
        self._messages.append({"role": "assistant", "content": answer})
        return True

    def _write(self, text: str, style: str) -> None:
        self._console.print(CONTROL.sub("", text), end="", style=style, soft_wrap=True)

    def _note(self, text: str) -> None:
        self._console.print(CONTROL.sub("", text), style="yellow", soft_wrap=True)
