"""What the server says when it is ready: which modules are loaded, from where, and how much memory each takes."""

from collections.abc import Sequence

from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.engine.messages import EngineFacts
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.weights.bundle import Bundle


def banner(
    bundle: Bundle, config: ServerConfig, window: int, modules: Sequence[ModuleInfo], facts: EngineFacts | None
) -> str:
    """window: of the decoder, in tokens."""
    names = ", ".join(config.model_names[1:])
    lines = [
        f"{bundle.title} is ready",
        f"  model    {config.model_id}" + (f" (also {names})" if names else "") + f", window {window}",
        *(line for module in modules for line in _module_lines(module)),
        f"  kernels  {facts.kernels.strip() if facts is not None else 'unknown'}",
        f"  page     http://{_shown_host(config.host)}:{config.port}/",
        f"  API      http://{_shown_host(config.host)}:{config.port}/v1",
    ]
    return "\n".join(lines)


def _module_lines(module: ModuleInfo) -> list[str]:
    head = f"  {module.modality:<8} {module.version} ({module.arch} {module.kind}), {module.memory_bytes / 1e6:.0f} MB"
    return [head, *(f"           {file}" for file in module.files)]


def _shown_host(host: str) -> str:
    """An address that a browser on this machine can open."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
