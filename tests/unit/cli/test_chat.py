"""The terminal chat against a small HTTP server that answers as ours does."""

import base64
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autoglm_phone.cli.answer_view import whole_blocks
from autoglm_phone.cli.chat import ChatLoop
from autoglm_phone.cli.chat_client import ChatClient, Message, Piece
from autoglm_phone.cli.line_reader import LineReader, history_file, load_history, save_history
from autoglm_phone.core.errors import EngineError, MissingDependency, RequestError, SetupError

SAMPLE = Path(__file__).parents[2] / "samples" / "settings_screen.png"


class SmallServer(ThreadingHTTPServer):
    """Remembers each request; `events` is what it streams, `refusal` what it says instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.events: list[dict[str, Any]] = [
            delta(role="assistant", content=""),
            delta(content="Hel"),
            delta(content="lo"),
        ]
        self.refusal: tuple[int, str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: SmallServer

    def do_GET(self) -> None:
        self.reply(200, "application/json", json.dumps({"data": [{"id": "small-one"}]}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(json.loads(body))
        self.server.keys.append(self.headers["authorization"])
        if self.server.refusal is not None:
            self.reply(self.server.refusal[0], "application/json", self.server.refusal[1])
            return
        lines = [f"data: {json.dumps(event)}\n\n" for event in self.server.events]
        self.reply(200, "text/event-stream", ": keep-alive\n\n" + "".join(lines) + "data: [DONE]\n\n")

    def reply(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def delta(**fields: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


@pytest.fixture
def server() -> Iterator[SmallServer]:
    with SmallServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(server: SmallServer) -> Iterator[ChatClient]:
    client = ChatClient(server.url, api_key="hush")
    yield client
    client.close()


def talk(client: ChatClient, *lines: str, **options: Any) -> str:
    """What the terminal shows for these lines and the end of input."""
    out = io.StringIO()
    rest = iter(lines)

    def read_line() -> str:
        line = next(rest, None)
        if line is None:
            raise EOFError
        return line

    ChatLoop(client, Console(file=out, markup=False, highlight=False), **options).run(read_line)
    return out.getvalue()


def test_the_answer_is_shown_and_becomes_history(client: ChatClient, server: SmallServer) -> None:
    assert talk(client, "hi", "and?", system="be kind") == "Hello\nHello\n"
    assert server.requests[1]["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "and?"},
    ]
    assert server.requests[0]["model"] == "small-one"
    assert server.keys == ["Bearer hush", "Bearer hush"]


def test_clear_forgets_all_but_the_system_prompt(client: ChatClient, server: SmallServer) -> None:
    talk(client, "hi", "/clear", "again", system="be kind")
    assert [message["content"] for message in server.requests[1]["messages"]] == ["be kind", "again"]


def test_files_go_with_the_next_message(client: ChatClient, server: SmallServer, tmp_path: Path) -> None:
    for name in ("screen.png", "voice.wav", "voice.flac"):
        (tmp_path / name).write_bytes(name.encode())
    commands = [f"/image '{tmp_path}/screen.png'", f"/audio {tmp_path}/voice.wav", f"/audio {tmp_path}/voice.flac"]
    talk(client, *commands, "what is it?")
    image, sound, other, text = server.requests[0]["messages"][0]["content"]
    data = base64.b64encode(b"screen.png").decode()
    assert image == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    assert sound["input_audio"] == {"data": base64.b64encode(b"voice.wav").decode(), "format": "wav"}
    assert other["audio_url"]["url"].startswith("data:audio/")
    assert text == {"type": "text", "text": "what is it?"}


def test_an_empty_line_sends_what_is_attached_and_nothing_otherwise(
    client: ChatClient, server: SmallServer, tmp_path: Path
) -> None:
    (tmp_path / "voice.wav").write_bytes(b"x")
    talk(client, "", f"/audio {tmp_path}/voice.wav", "", "")
    assert [len(request["messages"]) for request in server.requests] == [1]
    assert [part["type"] for part in server.requests[0]["messages"][0]["content"]] == ["input_audio"]


def test_commands_that_cannot_be_followed_are_told(client: ChatClient, server: SmallServer) -> None:
    shown = talk(client, "/image /no/such/file.png", "/dance", "/save", "/image", "/exit", "hi")
    assert "/save needs the name of a file" in shown
    assert "/image needs" in shown
    assert "cannot be read: No such file" in shown
    assert "there is no /dance" in shown
    assert server.requests == []


def test_reasoning_is_asked_for_and_kept_out_of_history(client: ChatClient, server: SmallServer) -> None:
    server.events = [delta(reasoning_content="hm ", reasoning="hm "), delta(content="yes")]
    assert talk(client, "think", "and?", is_thinking=True) == "hm yes\nhm yes\n"
    assert server.requests[0]["enable_thinking"] is True
    assert server.requests[1]["messages"][1] == {"role": "assistant", "content": "yes"}


def test_what_is_spoken_is_sent_at_once(client: ChatClient, server: SmallServer) -> None:
    talk(client, "/record", record=lambda wait: b"RIFF")
    [message] = server.requests[0]["messages"]
    assert message["content"] == [
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}}
    ]


def test_without_a_microphone_the_reason_is_told(client: ChatClient, server: SmallServer) -> None:
    def lacking(wait: Callable[[], object]) -> bytes:
        raise MissingDependency("recording needs sounddevice")

    assert "needs sounddevice" in talk(client, "/record", record=lacking)
    assert server.requests == []


def test_a_conversation_is_saved_as_markdown(client: ChatClient, tmp_path: Path) -> None:
    (tmp_path / "screen.png").write_bytes(b"x")
    talk(client, "hi", f"/image {tmp_path}/screen.png", "and this?", f"/save {tmp_path}/talk.md", "/save /no/such/x.md")
    saved = (tmp_path / "talk.md").read_text()
    assert (
        saved
        == "## user\n\nhi\n\n## assistant\n\nHello\n\n## user\n\n*(image)*\n\nand this?\n\n## assistant\n\nHello\n"
    )


def test_sounds_of_any_kind_are_saved_as_such(client: ChatClient, tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac"):
        (tmp_path / name).write_bytes(b"x")
    talk(client, f"/audio {tmp_path}/a.wav", f"/audio {tmp_path}/b.flac", "", f"/save {tmp_path}/talk.md")
    assert (tmp_path / "talk.md").read_text().startswith("## user\n\n*(sound)*\n\n*(sound)*\n")


def test_of_a_pipe_only_answers_go_on(server: SmallServer) -> None:
    def piped(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "autoglm_phone.cli.main", "chat", "--url", server.url, *flags]
        return subprocess.run(command, input=f"/image {SAMPLE}\n你好\n", capture_output=True, text=True, check=False)

    done = piped("--api-key", "hush")
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert "goes with the next message" in done.stderr
    assert server.requests[0]["messages"][0]["content"][1] == {"type": "text", "text": "你好"}
    server.refusal = (401, "no")
    done = piped()
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert "HTTP 401" in done.stderr


def test_ctrl_c_stops_the_answer_and_not_the_program(server: SmallServer) -> None:
    """An interrupt reaches the loop while a piece is awaited: what was said so far is kept."""

    class Interrupted(ChatClient):
        def answer(self, messages: list[Message], options: dict[str, Any] | None = None) -> Iterator[Piece]:
            for index, piece in enumerate(super().answer(messages, options)):
                if index == 1 and len(messages) == 1:
                    raise KeyboardInterrupt
                yield piece

    other = Interrupted(server.url)
    assert talk(other, "hi", "and?") == "Hel\n(stopped)\nHello\n"
    other.close()
    assert [message["content"] for message in server.requests[1]["messages"]] == ["hi", "Hel", "and?"]


def test_a_terminal_sees_rendered_markdown_and_small_pictures(client: ChatClient, server: SmallServer) -> None:
    server.events = [
        delta(reasoning_content="hm"),
        delta(content="# Ti"),
        delta(content="tle\n\n**bo"),
        delta(content="ld**"),
    ]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=60, markup=False, highlight=False)
    lines = iter([f"/image {SAMPLE}", "what?"])
    ChatLoop(client, console, is_thinking=True).run(lambda: next(lines, "/exit"))
    shown = out.getvalue()
    assert "▀" in shown
    assert "\x1b[1mbold\x1b[0m" in shown
    assert "**" not in shown.splitlines()[-2]
    assert "hm" in shown


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["one"], "one"),
        (["one\\", "two\\", "three"], "one\ntwo\nthree"),
        (['"""', "a", "", 'b"""'], "a\n\nb"),
        (['"""a', "b", '"""'], "a\nb"),
    ],
)
def test_a_message_may_have_several_lines(given: list[str], read: str) -> None:
    lines = iter(given)
    assert LineReader(lambda prompt: next(lines))() == read
    assert list(lines) == []


def test_the_history_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    path = history_file({"XDG_STATE_HOME": str(tmp_path)})
    load_history(path)
    save_history(path)
    assert path.stat().st_mode & 0o777 == 0o600
    load_history(path)
    save_history(Path("/proc/nowhere/history"))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("one", ""),
        ("one\n\ntwo", "one\n\n"),
        ("```\na\n\nb", ""),
        ("```\na\n\nb\n```\n\nc\n\n", "```\na\n\nb\n```\n\nc\n\n"),
    ],
)
def test_blocks_end_at_empty_lines_outside_of_code(text: str, whole: str) -> None:
    assert whole_blocks(text) == (whole, text.removeprefix(whole))


def test_text_cannot_steer_the_terminal(client: ChatClient, server: SmallServer) -> None:
    server.events = [delta(content="a\x1b]0;owned\x07\x1b[2Jb\nc\td\x9b31m")]
    assert talk(client, "hi") == "a]0;owned[2Jb\nc\td31m\n".expandtabs()


def test_a_refused_message_is_told_and_taken_back(client: ChatClient, server: SmallServer) -> None:
    server.refusal = (400, json.dumps({"error": {"message": "context_length_exceeded: too long"}}))
    assert "context_length_exceeded: too long (HTTP 400)" in talk(client, "very long", "short")
    assert [len(request["messages"]) for request in server.requests] == [1, 1]


def test_refusals_and_failures_are_told_apart(client: ChatClient, server: SmallServer) -> None:
    server.refusal = (429, "busy")
    with pytest.raises(RequestError, match=r"busy \(HTTP 429\)"):
        list(client.answer([]))
    server.refusal = (503, "{}")
    with pytest.raises(EngineError, match="HTTP 503"):
        list(client.answer([]))
    server.refusal = None
    server.events = [delta(content="a"), {"error": {"message": "the engine died"}}]
    pieces = client.answer([])
    assert next(pieces) == Piece("content", "a")
    with pytest.raises(EngineError, match="the engine died"):
        next(pieces)


def test_without_a_server_the_command_that_starts_one_is_named() -> None:
    client = ChatClient("http://127.0.0.1:1")
    with pytest.raises(SetupError, match="autoglm-phone serve"):
        client.model()
    client.close()
