"""Takes files from a model hub through huggingface_hub, at the commit that the bundle names."""

from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.module_spec import FileSpec, HubSpec


def download_from_hub(hub: HubSpec, file: FileSpec, folder: Path) -> Path:
    """A HubDownload. Goes on where an earlier run was cut off; raises BundleError if the hub cannot be reached."""
    # Here and not at the top: it takes as long to import as the rest of a command that fetches nothing.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(hub.repo, file.name, revision=hub.revision, local_dir=folder))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BundleError(
            f"{file.name} of {hub.repo} cannot be fetched: {error}\n"
            "Behind a mirror, set HF_ENDPOINT; without a hub, the same files come as packages: "
            "`autoglm-phone models show` names them."
        ) from error
