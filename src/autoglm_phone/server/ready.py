"""Whether answers can be computed now."""

from autoglm_phone.core.errors import NotReady
from autoglm_phone.server.services import Services


def check_ready(services: Services) -> None:
    """Before any medium is read or fetched: a server that is loading says so at once."""
    status = services.engine.status()
    if status.state != "ready":
        reason = f": {status.error}" if status.error else ""
        raise NotReady(f"the decoder is not ready ({status.state}{reason}); try again shortly")
