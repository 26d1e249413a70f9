"""The error tree.

AutoGLMError
|- RequestError            the caller can fix it; `param` names the field or part
|  |- InvalidRequest       a value is wrong or a combination is not supported
|  |- MediaUndecodable     a picture or a sound that cannot be read
|  |- MediaTooLarge        over a limit on bytes, pixels or seconds
|  |- UnsupportedModality  the module for this kind of input is not loaded
|  |- ContextLengthExceeded  the prompt does not fit the window
|  |- UnknownModel         the model name is not served here
|  |- NotSupported         the server has no such ability
|  |- Unauthorized         the key is missing or wrong
|  |- Forbidden            nobody may do this here, or not with this target
|  |- NoSuchModule         there is no module of that name or kind
|  |- ModuleRefused        a module that was to be loaded is not what it says, does not fit, or did not come up
|  `- Overloaded           the queue is full; try again after `retry_after_s`
|- EngineError             we must fix it
|  |- NotReady             still loading, or restarting; try again after `retry_after_s`
|  |- WorkerDied           the process that computed the answer has gone
|  |- GivenUp              nobody waits for this work any more; it is told to no client
|  `- StepFailed           the backend refused or failed a step
`- SetupError              the program cannot start as it was asked to
   |- BundleError          a model bundle is incomplete, damaged or inconsistent
   `- MissingDependency    an optional library is not installed

`server/errors.py` holds the one table from these classes to HTTP status codes.
"""


class AutoGLMError(Exception):
    """Root of every error this package raises on purpose."""


class RequestError(AutoGLMError):
    """The caller can fix it. `param` names the field or the part, as in `messages[0].content[1]`."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(RequestError):
    pass


class MediaUndecodable(RequestError):
    pass


class MediaTooLarge(RequestError):
    pass


class UnsupportedModality(RequestError):
    pass


class ContextLengthExceeded(RequestError):
    """The message must contain `context_length_exceeded`: LangChain looks for these words."""


class UnknownModel(RequestError):
    pass


class NotSupported(RequestError):
    pass


class Unauthorized(RequestError):
    pass


class Forbidden(RequestError):
    pass


class NoSuchModule(RequestError):
    pass


class ModuleRefused(RequestError):
    """Whatever was loaded before goes on."""


class Overloaded(RequestError):
    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineError(AutoGLMError):
    """We must fix it; the caller may try again."""


class NotReady(EngineError):
    def __init__(self, message: str, *, retry_after_s: int = 2) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WorkerDied(EngineError):
    pass


class GivenUp(EngineError):
    """Raised by a checkpoint inside of long work, to end it."""


class StepFailed(EngineError):
    pass


class SetupError(AutoGLMError):
    """The program cannot start as it was asked to; the message says what to do."""


class BundleError(SetupError):
    pass


class MissingDependency(SetupError):
    pass
