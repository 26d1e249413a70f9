"""What one request for a response asks for: read, joined with the dialogue behind it, and turned into a chat's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import first_fault, read_fields
from autoglm_phone.server.errors import NotStored, PreviousResponseNotFound
from autoglm_phone.server.fields import extra_fields, refuse_unsupported
from autoglm_phone.server.responses.chat_body import to_chat_body
from autoglm_phone.server.responses.fields import UNSUPPORTED, WITHOUT_EFFECT
from autoglm_phone.server.responses.input_items import MAX_SHOWN_CHARS, InputItem, ItemReference
from autoglm_phone.server.responses.items import Item, kept_form, user_text, with_unique_ids
from autoglm_phone.server.responses.messages import Placed
from autoglm_phone.server.responses.places import Places, in_words_of
from autoglm_phone.server.responses.request import ResponsesRequest
from autoglm_phone.server.responses.store import ResponseStore, Turn
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest

HISTORY: Literal["previous_response_id"] = "previous_response_id"


@dataclass(frozen=True, eq=False)
class Asked:
    """wire: the chat that answers it; places: its fields' names here. earlier, items: the dialogue up to the answer."""

    request: ResponsesRequest
    wire: ChatCompletionRequest
    places: Places
    earlier: Turn | None
    items: tuple[Item, ...]
    ignored: Sequence[str]


def read_request(body: dict[str, Any], store: ResponseStore, config: ServerConfig) -> Asked:
    try:
        request = ResponsesRequest.model_validate(body)
    except ValidationError as error:
        raise first_fault(error) from None
    extra = list(extra_fields(request))
    refuse_unsupported(extra, UNSUPPORTED)
    earlier = _earlier_turn(request, store)
    placed = _placed_input(request, store)
    history = [*earlier.context(), *earlier.output] if earlier is not None else []
    chat = to_chat_body(request, [*(Placed(item, HISTORY) for item in history), *placed])
    with in_words_of(chat.places):
        wire, ignored = read_fields(chat.fields, config)
    known = (*WITHOUT_EFFECT, *UNSUPPORTED)
    nested = [field.path for field in extra if "." in field.place and field.place not in known]
    items = with_unique_ids((each.item for each in placed), history)
    return Asked(request, wire, chat.places, earlier, items, [*ignored, *nested])


def _earlier_turn(request: ResponsesRequest, store: ResponseStore) -> Turn | None:
    if (wanted := request.previous_response_id) is None:
        return None
    stored = store.get(wanted)
    if stored is None:
        raise PreviousResponseNotFound(
            f"`previous_response_id`: no response {wanted[:MAX_SHOWN_CHARS]!r} is stored here; it was sent with "
            "`store: false`, deleted, or made way for newer ones; send the whole dialogue in `input`",
            param=HISTORY,
        )
    return stored.turn


def _placed_input(request: ResponsesRequest, store: ResponseStore) -> list[Placed]:
    if isinstance(request.input, str):
        return [Placed(user_text(request.input), "input")]
    return [
        Placed(_kept(item, f"input[{index}]", store), f"input[{index}]") for index, item in enumerate(request.input)
    ]


def _kept(item: InputItem, place: str, store: ResponseStore) -> Item:
    if not isinstance(item, ItemReference):
        return kept_form(item)
    referred = store.item(item.id)
    if referred is None:
        raise NotStored(
            f"`{place}.id`: no item {item.id[:MAX_SHOWN_CHARS]!r} is stored here; send the item itself",
            param=f"{place}.id",
        )
    return referred


def not_stored(response_id: str) -> NotStored:
    return NotStored(f"no response {response_id[:MAX_SHOWN_CHARS]!r} is stored here", param="response_id")
