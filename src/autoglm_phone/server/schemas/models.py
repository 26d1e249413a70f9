"""What GET /v1/models answers: OpenAI's and vLLM's fields, and what is loaded behind the name."""

from collections.abc import Sequence
from typing import Any

from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.server.config import ServerConfig


def model_card(
    name: str, config: ServerConfig, window: int, modules: Sequence[ModuleInfo], created: int
) -> dict[str, Any]:
    """window: that of the decoder that answers now.

    An alias has the true id as `root` and `parent`; `files` are names, without the folders of this machine.
    """
    is_alias = name != config.model_id
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "autoglm-phone",
        "root": config.model_id,
        "parent": config.model_id if is_alias else None,
        "max_model_len": window,
        "aliases": list(config.model_names[1:]),
        "limits": config.bundle_limits,
        "modules": [module_card(module) for module in modules],
    }


def module_card(module: ModuleInfo) -> dict[str, Any]:
    return {
        "modality": module.modality,
        "kind": module.kind,
        "arch": module.arch,
        "version": module.version,
        "digest": module.digest,
        "files": [file.replace("\\", "/").rpartition("/")[2] for file in module.files],
        "memory_bytes": module.memory_bytes,
        "limits": module.limits,
        "licence": module.licence,
    }
