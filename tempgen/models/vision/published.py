"""Where networks come from: libraries, weight files by address, and repositories of the hub. Or why they don't."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tempgen.errors import NetworkUnavailableError

__all__ = [
    "folder_weights",
    "hub_folder",
    "library",
    "load_pretrained",
    "published_file",
    "read_state",
    "sha256_of",
]

METRICS_EXTRA = "pip install 'tempgen[metrics]'"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
_SAFE, _PICKLED = "model*.safetensors", "pytorch_model*.bin"


def library(module: str, *, network: str, command: str = METRICS_EXTRA) -> Any:
    """A module that may not be installed.

    Raises
    ------
    NetworkUnavailableError
        If it is not there or does not load; says what installs it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or package
        raise NetworkUnavailableError(
            f"the network {network!r} needs the package {missing.partition('.')[0]}, which is not installed: {command}"
        ) from error
    except (
        ImportError,
        RuntimeError,
        OSError,
    ) as error:  # compiled for another torch, or a library of it is missing
        raise NetworkUnavailableError(
            f"the network {network!r} needs the package {package}, which is installed but does not load "
            f"({type(error).__name__}: {_first_line(error)}). Install the one made for torch {torch.__version__}: "
            f"pip install --upgrade --force-reinstall {package}"
        ) from error


def fetch_command(network: str) -> str:
    """What fetches all that a network needs, on a machine with a connection."""
    return f"python -c \"from tempgen.models.vision import open_network; open_network('{network}')\""


def published_file(url: str, *, network: str) -> Path:
    """A weight file in torch's cache, fetched if it is not there and checked against the hash in its name, if it has one.

    Parameters
    ----------
    url : str
        Its address. A name like ``alexnet-owt-7be5be79.pth`` holds the first digits of the file's SHA-256.
    network : str
        Which network needs it.

    Raises
    ------
    NetworkUnavailableError
        If it cannot be fetched, or is another file than published.
    """
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    hashed = re.search(r"-([a-f0-9]{8,})\.", name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=hashed[1] if hashed else None)
        except (OSError, RuntimeError) as error:
            raise NetworkUnavailableError(
                f"the network {network!r} needs the file {name}, which is not in {path.parent} and could not be "
                f"fetched from {url} ({type(error).__name__}: {_first_line(error)}). With a connection: "
                f"{fetch_command(network)}; or copy the file there."
            ) from error
    if hashed and not sha256_of(path).startswith(hashed[1]):
        raise _damaged(path, network, f"its SHA-256 does not begin with {hashed[1]}")
    return path


def read_state(path: Path, *, network: str) -> dict[str, Any]:
    """Tensors of a weight file, read without running code that it may hold.

    Raises
    ------
    NetworkUnavailableError
        If the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _damaged(path, network, _first_line(error)) from error
    return state


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hub_folder(chosen: str, *, network: str, needs: Sequence[str] = (CONFIG,)) -> tuple[Path, str]:
    """Folder with a model in the hub's format, and the identity of its weights.

    Parameters
    ----------
    chosen : str
        ``REPOSITORY@REVISION`` on the hub (from its cache if it is there, else fetched), or a folder.
    network : str
        Which network needs it.
    needs : sequence of str
        Files that must be there besides the weights.

    Raises
    ------
    NetworkUnavailableError
        If no commit is given, or files are missing and cannot be fetched.
    """
    if (folder := Path(chosen).expanduser()).is_dir():
        if missing := _missing(folder, needs):
            raise NetworkUnavailableError(
                f"the network {network!r} cannot be read from {folder}: {' and '.join(missing)} missing. Give a folder "
                "as `hf download REPOSITORY --local-dir FOLDER` makes it."
            )
        return folder, folder_weights(folder)
    repository, _, revision = chosen.partition("@")
    if not re.fullmatch("[0-9a-f]{40}", revision) or repository.count("/") != 1:
        raise NetworkUnavailableError(
            f"the network {network!r} cannot be opened from {chosen!r}: it is no folder, and not of the form "
            "REPOSITORY@REVISION with a repository of the hub (OWNER/NAME) and the commit that pins its weights (40 digits)."
        )
    return _from_hub(repository, revision, network=network, needs=needs), f"{repository}@{revision}"


def folder_weights(folder: Path) -> str:
    """Identity of a model in a folder; changes with its weights and with how it is configured."""
    from tempgen.models.backbone.fingerprint import folder_revision

    files = [path for name in (CONFIG, PREPROCESSOR) if (path := folder / name).is_file()]
    return f"local folder, {folder_revision(folder, [*files, *_weight_files(folder)])}"


def _from_hub(repository: str, revision: str, *, network: str, needs: Sequence[str]) -> Path:
    hub = library("huggingface_hub", network=network)
    # Its bases are every error of the client's transport, whichever HTTP library this version of it uses.
    failures = (
        *library("huggingface_hub.errors", network=network).HfHubHTTPError.__bases__,
        OSError,
        ValueError,
    )
    reason: Exception | None = None
    missing: list[str] = []
    # What is in the cache first; then safe weights; pickled ones only where there are no others.
    for local, weights in ((True, (_SAFE, _PICKLED)), (False, (_SAFE,)), (False, (_PICKLED,))):
        patterns = [*needs, *weights, *(f"{name}.index.json" for name in weights)]
        try:
            folder = Path(
                hub.snapshot_download(
                    repository, revision=revision, allow_patterns=patterns, local_files_only=local
                )
            )
        except failures as error:
            reason = error
            if local:
                continue
            break  # no connection: the other weights would not come either
        if not (missing := _missing(folder, needs)):
            return folder
        reason = None
    why = f"{type(reason).__name__}: {_first_line(reason)}" if reason else f"{' and '.join(missing)} missing"
    files = " ".join([*needs, "model.safetensors"])
    raise NetworkUnavailableError(
        f"the network {network!r} needs {files} of the hub's repository {repository} at revision {revision}, and could "
        f"not get them ({why}). With a connection: hf download {repository} {files} --revision {revision}"
    )


def load_pretrained(model_class: Any, folder: Path, *, network: str) -> Any:
    """A model of transformers from a folder, in float32; every weight that it needs is there.

    Raises
    ------
    NetworkUnavailableError
        If files are damaged or do not fit each other.
    """
    try:
        model, report = model_class.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise _damaged(folder, network, _first_line(error)) from error
    missing = [*report.get("missing_keys", ()), *(str(key) for key in report.get("mismatched_keys", ()))]
    if missing:
        raise _damaged(
            folder,
            network,
            f"weights missing or of another shape: {', '.join(sorted(map(str, missing))[:5])}",
        )
    return model


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(_SAFE)) or sorted(folder.glob(_PICKLED))


def _missing(folder: Path, needs: Sequence[str]) -> list[str]:
    absent = [name for name in needs if not (folder / name).is_file()]
    return absent if _weight_files(folder) else [*absent, "model.safetensors"]


def _damaged(path: Path, network: str, why: str) -> NetworkUnavailableError:
    return NetworkUnavailableError(
        f"the network {network!r} cannot be read from {path}: {why}. The file is damaged or another than published: "
        f"remove it and fetch it again, with a connection: {fetch_command(network)}"
    )


def _first_line(error: Exception | None) -> str:
    return next(iter(str(error).splitlines()), "no reason given") if error else ""
