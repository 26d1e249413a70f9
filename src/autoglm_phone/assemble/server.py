"""Starts the server: what it serves, then the worker processes, then the HTTP side."""

import logging
import logging.config
import os
from typing import Any

from uvicorn.config import LOGGING_CONFIG

from autoglm_phone.assemble.encoders import check_encoders
from autoglm_phone.assemble.memory import check_fits
from autoglm_phone.assemble.processes import Located, Setup, estimate_memory, make_processes
from autoglm_phone.assemble.voice_process import locate_voice
from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.memory import MemoryEstimate, MemoryReport
from autoglm_phone.core.module import Modality
from autoglm_phone.settings import Hardware, Settings, resolve, this_machine
from autoglm_phone.weights.bundle import Bundle, check_served
from autoglm_phone.weights.progress import Progress, silent
from autoglm_phone.weights.store import Store, cache_home
from autoglm_phone.weights.widths import check_widths

log = logging.getLogger("uvicorn.error")  # uvicorn's own lines and ours look alike


def run(settings: Settings, progress: Progress = silent) -> int:
    """Serve until SIGINT or SIGTERM. Raises SetupError if it cannot start as it was asked to."""
    set_up_logging(settings.log_level)
    store = Store(cache_home(os.environ), say=log.info)
    bundle = chosen_bundle(store, settings)
    machine = this_machine()
    resolved = resolve(settings, machine, bundle.max_model_len)
    log.info("resolved settings: %s", resolved)
    located = store.locate(bundle, progress)
    check_widths(bundle, {modality: module.files for modality, module in located.items()})
    check_encoders(located)
    if (voice := locate_voice(store, settings)) is not None:
        located["voice"] = voice
    setup = Setup(settings, resolved, bundle)
    memory = checked_memory(setup, located, machine)
    processes = make_processes(settings, resolved, located)
    processes.launch()
    # Here and not at the top: the web framework and what stands on it take a second to import, and the processes use
    # it for loading their models.
    from autoglm_phone.assemble.app import serve_app

    serve_app(setup, store, located, processes, memory)
    return 0


def checked_memory(setup: Setup, located: Located, machine: Hardware) -> MemoryReport:
    """The estimate; SetupError if the machine is too small for it. A file that it cannot be made from is served."""
    found: MemoryEstimate | None = None
    try:
        found = estimate_memory(setup.settings, setup.resolved, located)
    except BundleError as error:
        log.warning("the memory that %s will take is not known: %s", setup.bundle.id, error)
    if found is not None and setup.settings.check_memory:
        check_fits(found, machine.memory_bytes, setup.bundle.id)
    return MemoryReport(found, machine.memory_bytes, {})


def set_up_logging(level: str) -> None:
    """Uvicorn's usual format on stderr for everything, ours included."""
    config: dict[str, Any] = {**LOGGING_CONFIG, "root": {"handlers": ["default"], "level": level.upper()}}
    logging.config.dictConfig(config)
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).propagate = False


def chosen_bundle(store: Store, settings: Settings) -> Bundle:
    """Raises BundleError if there is no such bundle, or if a module of it cannot be served."""
    wanted: dict[Modality, bool] = {"speech": settings.speech, "vision": settings.vision}
    bundle = store.find(settings.model).with_only([modality for modality, is_on in wanted.items() if is_on])
    check_served(bundle)
    return bundle
