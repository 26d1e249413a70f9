"""`autoglm-phone chat`: a conversation in the terminal with a running server."""

import base64
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autoglm_phone.cli.answer_view import CONTROL, MarkdownAnswer, PlainAnswer
from autoglm_phone.cli.chat_client import ChatClient, Message, audio_part, image_part
from autoglm_phone.cli.line_reader import LineReader, history_file, load_history, save_history
from autoglm_phone.core.errors import EngineError, MissingDependency, RequestError

HELP = """/image FILE  send a picture with the next message
/audio FILE  send a sound with the next message; an empty line sends it without words
/record      speak, until Enter; sent at once
/save FILE   write the conversation as Markdown
/clear       forget the conversation
/exit        leave (so does Ctrl-D; Ctrl-C stops an answer)
A line that ends in \\ goes on in the next one; three quotes begin and end a message of many lines."""


def chat(
    url: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:8000",
    model: Annotated[str | None, typer.Option(help="Model to ask for, else the one that is served.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="AUTOGLM_API_KEY", help="Key that the server asks for.")] = None,
    system: Annotated[str | None, typer.Option(help="System prompt, else the bundle's own.")] = None,
    thinking: Annotated[bool, typer.Option("--thinking", help="Ask for reasoning before the answer.")] = False,
) -> None:
    """Talk to a running server. Pictures, sounds and the microphone with /image, /audio and /record; /help has more."""
    console = Console(highlight=False, markup=False)
    if not sys.stdin.isatty():
        notes = Console(highlight=False, markup=False, stderr=True)
        with closing(ChatClient(url, api_key=api_key, model=model)) as client:
            failed = ChatLoop(client, console, notes=notes, system=system, is_thinking=thinking).run(input)
        raise typer.Exit(1 if failed else 0)
    history = history_file(os.environ)
    load_history(history)
    with closing(ChatClient(url, api_key=api_key, model=model)) as client:
        console.print(f"{client.model()} at {url}. /help lists the commands.", style="dim")
        try:
            ChatLoop(client, console, system=system, is_thinking=thinking).run(LineReader(input))
        finally:
            save_history(history)


def record(wait: Callable[[], object]) -> bytes:
    """Here and in `_attach`, not at the top: all commands are imported when one of them starts."""
    from autoglm_phone.cli import recorder

    return recorder.record(wait)


class ChatLoop:
    """The conversation so far, and what is attached to its next message. notes: where all but answers goes."""

    def __init__(
        self,
        client: ChatClient,
        console: Console,
        *,
        notes: Console | None = None,
        system: str | None = None,
        is_thinking: bool = False,
        record: Callable[[Callable[[], object]], bytes] = record,
    ) -> None:
        self._client = client
        self._console = console
        self._notes = console if notes is None else notes
        self._record = record
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
                case "/image" | "/audio" | "/save" if not rest.strip():
                    self._note(f"{command} needs the name of a file")
                case "/image" | "/audio":
                    self._attach(command, Path(rest.strip().strip("'\"")).expanduser())
                case "/record":
                    failed = not self._speak(read_line)
                case "/save":
                    self._save(Path(rest.strip().strip("'\"")).expanduser())
                case _ if line.startswith("/") and "\n" not in line:
                    self._note(f"there is no {command}; /help lists the commands")
                case _ if line or self._attached:
                    failed = not self._ask(line)

    def _attach(self, command: str, path: Path) -> None:
        try:
            self._attached.append(image_part(path) if command == "/image" else audio_part(path))
        except OSError as error:
            self._note(f"{path} cannot be read: {error.strerror}")
        else:
            if command == "/image" and self._console.is_terminal and self._console.color_system is not None:
                self._show(path)
            self._note(f"{path.name} goes with the next message")

    def _show(self, path: Path) -> None:
        from autoglm_phone.cli.thumbnail import thumbnail

        if (small := thumbnail(path.read_bytes(), path.name)) is not None:
            self._console.print(small, end="")

    def _speak(self, wait: Callable[[], object]) -> bool:
        self._note("recording; Enter ends it")
        try:
            sound = self._record(wait)
        except MissingDependency as error:
            self._note(str(error))
            return False
        except (EOFError, KeyboardInterrupt):
            self._note("thrown away")
            return True
        data = base64.b64encode(sound).decode()
        self._attached.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
        return self._ask("")

    def _save(self, path: Path) -> None:
        try:
            path.write_text("\n".join(map(_as_markdown, self._messages)), encoding="utf-8")
        except OSError as error:
            self._note(f"{path} cannot be written: {error.strerror}")
        else:
            self._note(f"{len(self._messages)} messages are in {path}")

    def _ask(self, text: str) -> bool:
        """Send a message and print its answer. One that was not answered is taken back."""
        parts = [*self._attached, {"type": "text", "text": text}] if text else list(self._attached)
        self._messages.append({"role": "user", "content": parts if self._attached else text})
        self._attached = []
        answer = ""
        view = MarkdownAnswer(self._console) if self._console.is_terminal else PlainAnswer(self._console)
        try:
            with closing(self._client.answer(self._messages, self._options)) as pieces:  # type: ignore[type-var]  # a generator has close()
                for piece in pieces:
                    if piece.kind == "content":
                        answer += piece.text
                        view.say(piece.text)
                    else:
                        view.think(piece.text)
        except KeyboardInterrupt:
            view.end()
            self._note("(stopped)")
        except (RequestError, EngineError) as error:
            self._messages.pop()
            view.end()
            self._note(str(error))
            return False
        else:
            view.end()
        self._messages.append({"role": "assistant", "content": answer})
        return True

    def _note(self, text: str) -> None:
        self._notes.print(CONTROL.sub("", text), style="yellow", soft_wrap=True)


_MEDIA = {"image_url": "*(image)*", "input_audio": "*(sound)*", "audio_url": "*(sound)*"}


def _as_markdown(message: Message) -> str:
    content = message["content"]
    if not isinstance(content, str):
        content = "\n\n".join(part["text"] if part["type"] == "text" else _MEDIA[part["type"]] for part in content)
    return f"## {message['role']}\n\n{content}\n"
