"""Every endpoint and what it takes and gives. A route that is missing here, or is here and no route, fails a test."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from autoglm_phone.core import errors
from autoglm_phone.media.sound_encoder import MEDIA_TYPES
from autoglm_phone.server.errors import NotStored, PreviousResponseNotFound
from autoglm_phone.server.openapi import examples
from autoglm_phone.server.openapi.answers.chat import ChatCompletion, ChatCompletionChunk, InputTokens
from autoglm_phone.server.openapi.answers.completion import Completion
from autoglm_phone.server.openapi.answers.picture import PictureReading
from autoglm_phone.server.openapi.answers.response import DeletedResponse, ItemList, ResponseObject
from autoglm_phone.server.openapi.answers.response_events import ResponseStreamEvent
from autoglm_phone.server.openapi.answers.server import (
    Failure,
    Health,
    Memory,
    ModelCard,
    ModelList,
    ModuleChanged,
    ModuleList,
    Props,
)
from autoglm_phone.server.openapi.answers.speech import SpeechDelta, SpeechDone
from autoglm_phone.server.openapi.answers.text import RenderedPrompt, TextOfTokens, Tokens
from autoglm_phone.server.openapi.answers.transcript import (
    TranscriptDelta,
    TranscriptDone,
    TranscriptText,
    TranscriptVerbose,
)
from autoglm_phone.server.openapi.operation import EVENTS, JSON, Body, Operation, Parameter
from autoglm_phone.server.responses.item_page import DEFAULT_LIMIT, MAX_LIMIT
from autoglm_phone.server.responses.request import ResponsesRequest
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.schemas.completion_request import CompletionRequest
from autoglm_phone.server.schemas.modules import LoadModuleRequest
from autoglm_phone.server.schemas.picture_request import PictureRequest
from autoglm_phone.server.schemas.speech_request import SpeechRequest
from autoglm_phone.server.schemas.text_request import DetokenizeRequest, TokenizeRequest
from autoglm_phone.server.schemas.transcription import TranscriptionForm
from autoglm_phone.server.transcription_form import FILE

HTML, TEXT, SUBTITLES = "text/html", "text/plain", "text/vtt"

# What can befall whoever has media read, a prompt built, and tokens computed.
_MEDIA = (errors.MediaUndecodable, errors.UnsupportedModality, errors.MediaTooLarge)
_PROMPT = (errors.UnknownModel, errors.ContextLengthExceeded)
_PROCESS = (errors.NotReady, errors.WorkerDied)
_ANSWER = (*_PROMPT, *_PROCESS, errors.StepFailed)

_NAMED = ("x-request-id", "x-autoglm-ignored")
_WINDOWED = (*_NAMED, "x-autoglm-dropped-messages")

_MODALITY = Parameter("modality", "path", Literal["text", "vision", "speech", "voice"], "Which of the modules.")
_RESPONSE_ID = Parameter("response_id", "path", str, "The `id` of a response that was not sent with `store: false`.")
_SOUND = Body(
    TranscriptionForm,
    files={FILE: "The sound: WAV, MP3, FLAC, Ogg, MP4, WebM and others; its bytes say which."},
)
_TRANSCRIPT: Mapping[str, Any] = {
    JSON: TranscriptText | TranscriptVerbose,
    TEXT: str,
    SUBTITLES: str,
    EVENTS: TranscriptDelta | TranscriptDone | Failure,
}
_TRANSCRIPT_FORMS = (
    "JSON for `json` and `verbose_json`, plain text for `text` and `srt`, `text/vtt` for `vtt`, and events with "
    "`stream`, which end with `data: [DONE]`, or with the form of an error and without it."
)

OPERATIONS: Mapping[tuple[Literal["GET", "POST", "DELETE"], str], Operation] = {
    ("POST", "/v1/chat/completions"): Operation(
        id="createChatCompletion",
        tag="Chat",
        summary="answers a conversation, whole or as a stream",
        description="OpenAI's form, with vLLM's additions and a few of llama.cpp's. With `stream` the answer comes in "
        "chunks: the role, the text, the finish reason, with `stream_options.include_usage` the counts, and "
        "`data: [DONE]`. Comments (`: keep-alive`) break a long silence. After the first byte a failure is an event "
        "with the form of an error, and no `[DONE]` follows.",
        body=Body(ChatCompletionRequest, examples.CHAT),
        answers={JSON: ChatCompletion, EVENTS: ChatCompletionChunk | Failure},
        errors=(*_MEDIA, *_ANSWER),
        headers=_WINDOWED,
    ),
    ("POST", "/v1/chat/completions/input_tokens"): Operation(
        id="countChatTokens",
        tag="Chat",
        summary="counts the tokens that a conversation would take; its media are read, nothing is computed",
        body=Body(ChatCompletionRequest, examples.COUNT),
        answers={JSON: InputTokens},
        errors=(*_MEDIA, *_PROMPT, *_PROCESS),
    ),
    ("POST", "/v1/completions"): Operation(
        id="createCompletion",
        tag="Chat",
        summary="goes on with prompts that their callers have written whole, whole or as a stream",
        description="No template and no system prompt; control tokens count. Chunks of a stream have the same form "
        "as the answer.",
        body=Body(CompletionRequest, examples.COMPLETION),
        answers={JSON: Completion, EVENTS: Completion | Failure},
        errors=_ANSWER,
        headers=_WINDOWED,
    ),
    ("POST", "/v1/responses"): Operation(
        id="createResponse",
        tag="Responses",
        summary="answers in the form of OpenAI's Responses API, whole or as a stream",
        description="Fields of chats that are not listed (`top_k`, `seed`, `stop`, `structured_outputs`, "
        "`enable_thinking`, `images`, `audio` and others) work here as well. A stream ends with the event that "
        "carries the whole response, without `[DONE]`.",
        body=Body(ResponsesRequest, examples.RESPONSES),
        answers={JSON: ResponseObject, EVENTS: ResponseStreamEvent},
        errors=(*_MEDIA, *_ANSWER, PreviousResponseNotFound, NotStored),
        headers=_WINDOWED,
    ),
    ("POST", "/v1/responses/input_tokens"): Operation(
        id="countResponseTokens",
        tag="Responses",
        summary="counts the tokens that a request for a response would take; its media are read, nothing is computed",
        body=Body(ResponsesRequest, examples.COUNT_RESPONSE),
        answers={JSON: InputTokens},
        errors=(*_MEDIA, *_PROMPT, *_PROCESS, PreviousResponseNotFound, NotStored),
    ),
    ("GET", "/v1/responses/{response_id}"): Operation(
        id="showResponse",
        tag="Responses",
        summary="shows a stored response",
        parameters=(
            _RESPONSE_ID,
            Parameter("stream", "query", Literal["false"], "A stored response is complete and comes in one piece."),
        ),
        answers={JSON: ResponseObject},
        errors=(errors.InvalidRequest, NotStored),
    ),
    ("DELETE", "/v1/responses/{response_id}"): Operation(
        id="deleteResponse",
        tag="Responses",
        summary="forgets a stored response; later ones that build on it keep what they need",
        parameters=(_RESPONSE_ID,),
        answers={JSON: DeletedResponse},
        errors=(NotStored,),
    ),
    ("GET", "/v1/responses/{response_id}/input_items"): Operation(
        id="listInputItems",
        tag="Responses",
        summary="lists what a stored response has answered, earlier turns included",
        parameters=(
            _RESPONSE_ID,
            Parameter("order", "query", Literal["asc", "desc"], "The oldest first, or the newest (the default)."),
            Parameter(
                "limit",
                "query",
                Annotated[int, Field(ge=1, le=MAX_LIMIT)],
                f"At most so many. Default {DEFAULT_LIMIT}.",
            ),
            Parameter("after", "query", str, "The id of the item before the page: the `last_id` of the page before."),
        ),
        answers={JSON: ItemList},
        errors=(errors.InvalidRequest, NotStored),
    ),
    ("POST", "/v1/audio/transcriptions"): Operation(
        id="createTranscription",
        tag="Audio",
        summary="writes down what is said in a sound",
        description=_TRANSCRIPT_FORMS,
        body=_SOUND,
        answers=_TRANSCRIPT,
        errors=(*_MEDIA, errors.UnknownModel, *_PROCESS),
        headers=_NAMED,
    ),
    ("POST", "/v1/audio/translations"): Operation(
        id="createTranslation",
        tag="Audio",
        summary="writes down in English what is said in a sound",
        description=_TRANSCRIPT_FORMS,
        body=_SOUND,
        answers=_TRANSCRIPT,
        errors=(*_MEDIA, errors.UnknownModel, *_PROCESS),
        headers=_NAMED,
    ),
    ("POST", "/v1/audio/speech"): Operation(
        id="createSpeech",
        tag="Audio",
        summary="says a text with a voice, as it is spoken",
        description="Where no voice module is loaded, `unsupported_modality`.",
        body=Body(SpeechRequest, examples.SPEECH),
        answers={**dict.fromkeys(MEDIA_TYPES.values(), bytes), EVENTS: SpeechDelta | SpeechDone | Failure},
        errors=(errors.UnsupportedModality, errors.UnknownModel, errors.Overloaded, *_PROCESS),
        headers=_NAMED,
    ),
    ("POST", "/v1/images/readings"): Operation(
        id="readPicture",
        tag="Pictures",
        summary="tells what is read on a picture, and where it stands",
        description="A chat that sends the same picture afterwards finds it read.",
        body=Body(PictureRequest, examples.READING),
        answers={JSON: PictureReading},
        errors=(*_MEDIA, errors.UnknownModel, *_PROCESS),
        headers=("x-autoglm-ignored",),
    ),
    ("POST", "/tokenize"): Operation(
        id="tokenize",
        tag="Text and tokens",
        summary="gives the tokens of a text, or of a conversation as the template writes it",
        description="Exactly one of `prompt`, `content` and `messages`.",
        body=Body(TokenizeRequest, examples.TOKENIZE),
        answers={JSON: Tokens},
        errors=(*_MEDIA, *_PROMPT, *_PROCESS),
    ),
    ("POST", "/detokenize"): Operation(
        id="detokenize",
        tag="Text and tokens",
        summary="gives the text of tokens",
        body=Body(DetokenizeRequest, examples.DETOKENIZE),
        answers={JSON: TextOfTokens},
        errors=(errors.UnknownModel,),
    ),
    ("POST", "/apply-template"): Operation(
        id="applyTemplate",
        tag="Text and tokens",
        summary="writes a conversation as the template does: the prompt that a chat would begin with",
        body=Body(ChatCompletionRequest, examples.TEMPLATE),
        answers={JSON: RenderedPrompt},
        errors=(*_MEDIA, *_PROMPT, *_PROCESS),
    ),
    ("POST", "/v1/embeddings"): Operation(
        id="createEmbeddings",
        tag="Text and tokens",
        summary="501: the decoder was not trained for embeddings",
        answers={},
        errors=(errors.NotSupported,),
    ),
    ("GET", "/v1/models"): Operation(
        id="listModels",
        tag="Server",
        summary="lists the names of the model: its true id, and aliases",
        answers={JSON: ModelList},
    ),
    ("GET", "/v1/models/{name}"): Operation(
        id="showModel",
        tag="Server",
        summary="shows what is behind a name: the window, limits, and the loaded modules",
        parameters=(Parameter("name", "path", str, "A name may hold slashes."),),
        answers={JSON: ModelCard},
        errors=(errors.UnknownModel,),
    ),
    ("GET", "/v1/modules"): Operation(
        id="listModules",
        tag="Server",
        summary="lists the modules that answer requests: those that are loaded, then those that were replaced",
        answers={JSON: ModuleList},
    ),
    ("POST", "/v1/modules/{modality}"): Operation(
        id="loadModule",
        tag="Server",
        summary="loads a module in place of another while requests run (admin key)",
        description="The module is found, verified and loaded beside the old one, which goes on whatever happens. "
        "Requests that began before are answered by the old one, later ones by the new one.",
        body=Body(LoadModuleRequest, examples.LOAD),
        parameters=(_MODALITY,),
        answers={JSON: ModuleChanged},
        errors=(errors.NoSuchModule, errors.ModuleRefused),
        needs_admin=True,
    ),
    ("DELETE", "/v1/modules/{modality}"): Operation(
        id="unloadModule",
        tag="Server",
        summary="unloads a module and returns its memory; the decoder stays (admin key)",
        parameters=(_MODALITY,),
        answers={JSON: ModuleChanged},
        errors=(errors.InvalidRequest, errors.NoSuchModule, errors.ModuleRefused),
        needs_admin=True,
    ),
    ("GET", "/v1/memory"): Operation(
        id="showMemory",
        tag="Server",
        summary="tells what the server's memory goes to: estimated before loading, and measured now",
        answers={JSON: Memory},
    ),
    ("GET", "/props"): Operation(
        id="showProps",
        tag="Server",
        summary="tells llama.cpp's clients the window, the sampling defaults, the modalities and the template",
        answers={JSON: Props},
    ),
    ("GET", "/health"): Operation(
        id="showHealth",
        tag="Server",
        summary="200 while chats are answered, else 503 with `Retry-After`",
        answers={JSON: Health},
        told={errors.NotReady: Health},
        needs_key=False,
    ),
    ("GET", "/metrics"): Operation(
        id="showMetrics",
        tag="Server",
        summary="gives counters in Prometheus' text format",
        answers={TEXT: str},
    ),
    ("GET", "/"): Operation(
        id="showPage",
        tag="Pages",
        summary="a page to chat with; it loads nothing from elsewhere",
        answers={HTML: str},
        needs_key=False,
    ),
    ("GET", "/status"): Operation(
        id="showStatusPage",
        tag="Pages",
        summary="a page that plots what the server does and shows its modules; it loads nothing from elsewhere",
        answers={HTML: str},
        needs_key=False,
    ),
    ("GET", "/docs"): Operation(
        id="showDocs",
        tag="Pages",
        summary="a page to read about the endpoints and to try them; it loads nothing from elsewhere",
        answers={HTML: str},
        needs_key=False,
    ),
    ("GET", "/openapi.json"): Operation(
        id="showOpenapi",
        tag="Pages",
        summary="this description of the endpoints, for programs (OpenAPI 3.1)",
        answers={JSON: dict[str, Any]},
        needs_key=False,
    ),
}
