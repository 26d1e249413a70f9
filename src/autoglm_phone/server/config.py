"""What the HTTP side is told at start. Limits of queue, window and media live with their owners."""

import ipaddress
from dataclasses import dataclass, field

from autoglm_phone.core.request import SamplingParams

# The model name of the article's client; any bundle answers to it unless `strict_model`.
ARTICLE_MODEL = "autoglm-phone-9b"


def is_loopback_host(host: str) -> bool:
    """Whether the name or address can only mean this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class ServerConfig:
    """Limits in bytes, counts and seconds.

    model_id             the true id: what `model` in answers says
    aliases              other names it is served under
    strict_model         do not answer to the article's model name
    bundle_limits        what the bundle cannot do, in words, shown by /v1/models
    default_sampling     for what a request leaves out
    api_key              asked for on /v1/* and /metrics; None lets everybody in
    admin_key            asked for where modules are loaded and unloaded, and good for all else; None: nobody may
    allowed_hosts        further Host headers to let in; checked on a loopback address, elsewhere if set; "*" is all
    max_body_bytes       a request; its pictures and sounds, fetched ones included, may have as much once decoded
    max_open_bytes       the bodies of all requests that are being answered, together
    max_media_parts      pictures and sounds of one request
    max_stored_responses  responses that `previous_response_id` can go on from; 0 stores none
    max_stored_bytes     memory of these, with the dialogues behind them; the least recently used go first
    max_realtime_sessions  beyond these a client of /v1/realtime is told 429
    max_send_s           that a client of /v1/realtime may take to receive an event; beyond, its session ends
    max_live_s           of a turn that is spoken to one of them; there it is ended, or more is refused
    max_connections      beyond these a connection is told 503
    body_timeout_s       the longest that a client may take to send a body
    keep_alive_s         silence on a stream after which a comment is sent; also how long the status line of a
                         stream may wait for the first token, so that a refusal still gets its own status
    shutdown_s           how long open answers may take when the server is asked to stop
    """

    model_id: str
    host: str = "127.0.0.1"
    port: int = 8000
    aliases: tuple[str, ...] = ()
    strict_model: bool = False
    bundle_limits: str = ""
    default_sampling: SamplingParams = field(default_factory=SamplingParams)
    api_key: str | None = None
    admin_key: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 32 << 20
    max_open_bytes: int = 256 << 20
    max_media_parts: int = 32
    max_stored_responses: int = 1000
    max_stored_bytes: int = 64 << 20
    max_realtime_sessions: int = 16
    max_live_s: float = 300.0
    max_send_s: float = 30.0
    max_connections: int = 512
    body_timeout_s: float = 60.0
    keep_alive_s: float = 5.0
    shutdown_s: int = 10

    def __post_init__(self) -> None:
        if not self.model_id or "" in self.aliases:
            raise ValueError("a model name may not be empty")
        if "" in (self.api_key, self.admin_key):
            raise ValueError("an empty key would let everybody in; leave it out to mean that")

    @property
    def model_names(self) -> tuple[str, ...]:
        """Every name a request may use, the true id first."""
        extra = () if self.strict_model else (ARTICLE_MODEL,)
        return tuple(dict.fromkeys((self.model_id, *self.aliases, *extra)))

    @property
    def is_loopback(self) -> bool:
        return is_loopback_host(self.host)
