import asyncio
import contextlib
import http.server
import ipaddress
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from autoglm_phone.core.errors import InvalidRequest, MediaTooLarge
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.media.public_address import IPAddress, is_public_address

BODY = bytes(range(256)) * 40
LOCAL = ipaddress.ip_address("127.0.0.1")


class _Pages(http.server.BaseHTTPRequestHandler):
    """A real server with every kind of page that the tests ask for."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []
    stalled: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers['Host']}{self.path}")
        page, _, rest = self.path[1:].partition("?")
        if page == "to":
            self._answer(302, b"", Location=rest)
        elif page == "loop":
            self._answer(301, b"", Location="/loop")
        elif page == "gone":
            self._answer(404, b"not here")
        elif page == "packed":
            self._answer(200, b"xx", **{"Content-Encoding": "gzip"})
        elif page == "lying":
            self._stream(200_000)
        elif page == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"one byte, then nothing")
            self.wfile.flush()
            self.stalled.wait(30)
            self.close_connection = True
        else:
            self._answer(200, BODY)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, num_chunks: int) -> None:
        """No declared length, far more than anybody wants."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(num_chunks):
                self.wfile.write(b"400\r\n" + bytes(1024) + b"\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    _Pages.seen.clear()
    _Pages.stalled.clear()
    thread.start()
    try:
        yield server.server_port
    finally:
        _Pages.stalled.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as port:
        yield port


def is_this_server(address: IPAddress) -> bool:
    """Of the private addresses 127.0.0.1 alone: 127.0.0.2 stands for what must not be reached."""
    return address == LOCAL or is_public_address(address)


OPEN = FetchPolicy(allow_urls=True, is_allowed=is_this_server, max_bytes=20_000, timeout_s=20)


def fetch(url: str, policy: FetchPolicy = OPEN) -> bytes:
    return asyncio.run(fetch_media(url, policy=policy, param="messages[0].content[1]"))


def refusal(url: str, policy: FetchPolicy = OPEN) -> str:
    with pytest.raises(InvalidRequest) as error:
        fetch(url, policy)
    assert error.value.param == "messages[0].content[1]"
    assert error.value.message.startswith("messages[0].content[1]: ")
    return error.value.message


def test_a_data_uri_needs_no_permission() -> None:
    assert fetch("data:image/png;base64,aGVsbG8=", FetchPolicy()) == b"hello"


def test_urls_are_off_unless_allowed(port: int) -> None:
    assert "--allow-media-urls" in refusal(f"http://127.0.0.1:{port}/a.png", replace(OPEN, allow_urls=False))
    assert _Pages.seen == []


def test_a_url_is_fetched(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # would fail if it were asked
    assert fetch(f"http://127.0.0.1:{port}/a b.png?q=日#top") == BODY
    assert _Pages.seen == [f"127.0.0.1:{port}/a%20b.png?q=%E6%97%A5"]


def test_redirects_are_followed_up_to_three(port: int) -> None:
    url = f"http://127.0.0.1:{port}/"
    assert fetch(f"{url}to?/to?/to?/final") == BODY
    assert "more than 3 redirects" in refusal(f"{url}loop")
    assert len(_Pages.seen) == 4 + 4


PRIVATE = (
    "http://127.0.0.2:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://169.254.169.254/latest/meta-data",
    "http://user:word@example.com:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
)


@pytest.mark.parametrize("target", PRIVATE)
def test_nothing_private_is_reached(port: int, target: str) -> None:
    refusal(target.format(port=port), FetchPolicy(allow_urls=True))
    assert _Pages.seen == []


@pytest.mark.parametrize("target", [*PRIVATE, "//127.0.0.1:{port}/", "data:text/plain,hello"])
def test_nothing_private_is_reached_by_a_redirect(port: int, target: str) -> None:
    allowed = [LOCAL]  # the first connection only: from then on this machine is as private as it is
    policy = replace(OPEN, is_allowed=lambda address: address in allowed and allowed.pop() == address)
    refusal(f"http://127.0.0.1:{port}/to?{target.format(port=port)}", policy)
    assert len(_Pages.seen) == 1


def resolver(*answers: str) -> FetchPolicy:
    async def resolve(host: str, port: int) -> list[IPAddress]:
        return [ipaddress.ip_address(answer) for answer in answers]

    return replace(OPEN, resolve=resolve)


@pytest.mark.parametrize(
    "answers", [("127.0.0.2",), ("127.0.0.1", "127.0.0.2"), ("10.0.0.1", "127.0.0.1"), ("::1",), ()]
)
def test_one_private_answer_refuses_the_name(port: int, answers: tuple[str, ...]) -> None:
    message = refusal(f"http://pictures.example:{port}/secret", resolver(*answers))
    assert "pictures.example" in message
    assert not any(answer in message for answer in answers)  # inner addresses are not told
    assert _Pages.seen == []


def test_the_checked_address_is_the_one_connected_to(port: int) -> None:
    # a second look-up would answer with a private address: DNS rebinding
    answers = [[LOCAL], [ipaddress.ip_address("127.0.0.2")]]

    async def resolve(host: str, port: int) -> list[IPAddress]:
        return list(answers.pop(0))

    assert fetch(f"http://pictures.example:{port}/a", replace(OPEN, resolve=resolve)) == BODY
    assert len(answers) == 1
    assert _Pages.seen == [f"pictures.example:{port}/a"]


def test_the_next_address_is_tried_where_one_does_not_answer(port: int) -> None:
    policy = replace(resolver("127.0.0.3", "127.0.0.1"), is_allowed=lambda address: True)
    assert fetch(f"http://pictures.example:{port}/a", policy) == BODY


@pytest.mark.parametrize("page", ["lying", "large"])
def test_a_body_over_the_limit_is_cut_off(port: int, page: str) -> None:
    with pytest.raises(MediaTooLarge, match=r"messages\[0\]\.content\[1\]: .*limit of 10000 bytes"):
        fetch(f"http://127.0.0.1:{port}/{page}", replace(OPEN, max_bytes=10_000))


def test_a_body_that_does_not_end_is_given_up(port: int) -> None:
    assert "within 0.3 s" in refusal(f"http://127.0.0.1:{port}/slow", replace(OPEN, timeout_s=0.3))


def test_refusals_say_what_the_server_answered(port: int) -> None:
    assert "status 404" in refusal(f"http://127.0.0.1:{port}/gone")
    assert "compressed" in refusal(f"http://127.0.0.1:{port}/packed")


def test_a_server_that_is_not_there_is_the_callers_to_fix() -> None:
    with serving() as port:
        pass
    assert "could not be fetched" in refusal(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        *("", "hello", "http://", "http:///a", "http://[::1", "http://a..b/", "http://a:99999/", "http://a b/"),
        *("ftp://example.com/a", "file:///etc/passwd", "/etc/passwd", "http://user@example.com/", "javascript:1"),
    ],
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    refusal(url)


def test_https_asks_for_the_name_and_checks_its_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=pictures.example", "-addext", "subjectAltName=DNS:pictures.example"]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusting = replace(resolver("127.0.0.1"), ssl_context=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
    with serving(server_side) as port:
        assert fetch(f"https://pictures.example:{port}/a", trusting) == BODY
        refusal(f"https://other.example:{port}/a", trusting)  # the certificate is another name's
        refusal(f"https://pictures.example:{port}/a", resolver("127.0.0.1"))  # nobody vouches for it
