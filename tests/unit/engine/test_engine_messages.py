import numpy as np

from autoglm_phone.core.ids import Digest, RequestId, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Grid, Prompt
from autoglm_phone.core.request import Client, Request, SamplingParams, TokenEvent, TokenLogprobs
from autoglm_phone.engine.kv.content import MediaKey
from autoglm_phone.engine.messages import (
    EngineLoad,
    Events,
    Media,
    Submit,
    decode_from_worker,
    decode_to_worker,
    encode,
)


def sent(request: Request) -> Request:
    frames = [
        encode(message) for message in (*(Media.of(request.id, s) for s in request.prompt.embeds), Submit.of(request))
    ]
    *media, message = map(decode_to_worker, frames)
    assert isinstance(message, Submit)
    return message.to_request(tuple(one.to_span() for one in media if isinstance(one, Media)))


def test_a_request_arrives_as_it_was() -> None:
    sampling = SamplingParams(temperature=0.5, seed=3, logit_bias=((TokenId(7), -100.0), (TokenId(8), 1.5)))
    prompt = Prompt((TokenId(1), TokenId(2)))
    full = Request(
        RequestId("r"), prompt, sampling, 9, frozenset({TokenId(4)}), "start: /a+/", 5, Client("place", "name")
    )
    assert sent(full) == full
    plain = Request(RequestId("r"), prompt, SamplingParams(), 9)
    assert sent(plain) == plain


def test_embeddings_arrive_in_their_place() -> None:
    rows = np.arange(16, dtype=np.float32).reshape(4, 4)
    sound = EmbedSpan(1, rows[:, :2], Digest("medium"), Digest("module"))  # not in one piece of memory
    picture = EmbedSpan(5, rows, Digest("other"), Digest("module"), Grid(2, 2))
    prompt = Prompt(tuple(TokenId(0) for _ in range(9)), (sound, picture))
    arrived = sent(Request(RequestId("r"), prompt, SamplingParams(), 1)).prompt.embeds
    for one, span in zip(arrived, (sound, picture), strict=True):
        assert (one.embeddings == span.embeddings).all()
        assert MediaKey.of(one) == MediaKey.of(span)


def test_events_arrive_with_logprobs_and_errors() -> None:
    told = TokenLogprobs(-0.25, ((TokenId(3), -0.25), (TokenId(1), -2.0)))
    events = [
        (RequestId("a"), TokenEvent((TokenId(3),), logprobs=(told,), cached_tokens=2, queue_s=0.5)),
        (RequestId("b"), TokenEvent((), "stop", error="cannot be followed")),
    ]
    assert decode_from_worker(encode(Events(events, EngineLoad(running=1)))) == Events(events, EngineLoad(running=1))
