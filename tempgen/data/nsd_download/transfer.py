"""One file from the bucket: in pieces if need be, checked, and in its place only when it is whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tempgen.data.nsd_download.catalogue import RemoteFile
from tempgen.errors import SourceDataError

CHUNK_BYTES = 1 << 20
N_ATTEMPTS = 6
"""In a row without a single new byte. Source: house choice; with the pauses below, half a minute without a network."""
LONGEST_PAUSE_S = 16.0
GONE = {"403", "404", "AccessDenied", "NoSuchKey", "Forbidden", "NoSuchBucket"}
CHANGED = {"412", "PreconditionFailed"}


class Stopped(Exception):
    """Another file failed or the user stopped: what was received so far is kept."""


def partial_path(path: Path, file: RemoteFile) -> Path:
    """Where a file is received; named after its ETag, so that no piece of an older file is continued with a newer one."""
    return path.with_name(f"{path.name}.{file.etag[:8]}.partial")


def received_bytes(path: Path, file: RemoteFile) -> int:
    """Bytes of the file that are here: all of them, or those of an unfinished one."""
    if is_whole(path, file):
        return file.size
    partial = partial_path(path, file)
    return min(partial.stat().st_size, file.size) if partial.is_file() else 0


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether the file is in its place with the size that it should have; its content was checked before it got there."""
    return path.is_file() and path.stat().st_size == file.size


def fetch(
    client: Any,
    bucket: str,
    file: RemoteFile,
    path: Path,
    *,
    stop: threading.Event,
    received: Callable[[int], object],
    say: Callable[[str], None],
) -> None:
    """Download one file, going on where an earlier attempt ended.

    Cut connections are resumed after a pause that doubles. A file whose size or MD5 is not the listed one is fetched once more
    from the beginning.

    Parameters
    ----------
    client : boto3 S3 client
    file : RemoteFile
    path : Path
        Its place; it appears when it is whole and checked.
    stop : threading.Event
        Set from outside to stop between two chunks.
    received : callable
        Told the number of bytes of each chunk, negative where bytes were thrown away.
    say : callable
        Told of attempts that failed.

    Raises
    ------
    SourceDataError
        If the bucket refuses the file or has changed it, attempts fail in a row, its content is wrong twice, or another
        process is downloading it.
    Stopped
        If ``stop`` was set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path, file)
    for older in path.parent.glob(f"{path.name}.*.partial"):
        if older != partial:
            older.unlink()
    with partial.open("ab") as sink:
        _lock(sink, path)
        for anew in (False, True):
            if anew or sink.tell() > file.size:
                _empty(sink, received)
            _receive(client, bucket, file, sink, stop=stop, received=received, say=say)
            wrong = _wrong(partial, file)
            if wrong is None:
                os.replace(partial, path)
                return
            say(f"{path.name}: {wrong}")
    partial.unlink()
    raise SourceDataError(
        f"{file.key} was downloaded twice and is not what the bucket lists ({wrong}). Try again later; if it stays so, tell NSD."
    )


def _empty(sink: IO[bytes], received: Callable[[int], object]) -> None:
    """Throw away what was received."""
    received(-sink.tell())
    sink.truncate(0)
    sink.seek(0)


def _lock(sink: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SourceDataError(
            f"Another process is downloading {path}: let it finish, or stop it and start again."
        ) from error


def _receive(
    client: Any,
    bucket: str,
    file: RemoteFile,
    sink: IO[bytes],
    *,
    stop: threading.Event,
    received: Callable[[int], object],
    say: Callable[[str], None],
) -> None:
    """Append to ``sink`` what it lacks."""
    from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
    from urllib3.exceptions import HTTPError

    failed = 0
    while sink.tell() < file.size:
        before = sink.tell()
        try:
            ranged = {"Range": f"bytes={before}-"} if before else {}
            answer = client.get_object(Bucket=bucket, Key=file.key, IfMatch=f'"{file.etag}"', **ranged)
            _copy(answer["Body"], sink, most=file.size - before, stop=stop, received=received)
            problem = "the connection ended early"
        except ClientError as error:
            problem = _refusal(file, error)
        except FlexibleChecksumError:
            problem = "its checksum in the bucket is another"
            _empty(sink, received)
        except (BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            problem = f"the connection was cut ({type(error).__name__})"
        sink.flush()
        if sink.tell() >= file.size:
            return
        failed = 1 if sink.tell() > before else failed + 1
        if failed == N_ATTEMPTS:
            raise SourceDataError(
                f"{file.key}: {problem}, {N_ATTEMPTS} times in a row. What was received is kept: start the same command again."
            )
        pause_s = min(2.0 ** (failed - 1), LONGEST_PAUSE_S)
        say(f"{Path(file.key).name}: {problem}; going on at {sink.tell() / 1e6:.1f} MB in {pause_s:g} s")
        if stop.wait(pause_s):
            raise Stopped


def _copy(
    body: Any, sink: IO[bytes], *, most: int, stop: threading.Event, received: Callable[[int], object]
) -> None:
    """Append a response's body chunk by chunk, no further than the file should go."""
    while most >= 0 and (
        chunk := body.read(CHUNK_BYTES)
    ):  # to the empty end, where botocore checks length and checksum
        sink.write(chunk)
        received(len(chunk))
        most -= len(chunk)
        if stop.is_set():
            sink.flush()
            raise Stopped


def _refusal(file: RemoteFile, error: Any) -> str:
    """What went wrong, if trying again can help."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in GONE:
        raise SourceDataError(
            f"The bucket refuses {file.key} ({code}), although it lists it. NSD may have withdrawn it: choose other sessions."
        ) from error
    if code in CHANGED:
        raise SourceDataError(
            f"{file.key} has changed in the bucket since it was listed: start the same command again."
        ) from error
    return f"the bucket answered {code or error}"


def _wrong(partial: Path, file: RemoteFile) -> str | None:
    """What is wrong with a received file, or None."""
    size = partial.stat().st_size
    if size != file.size:
        return f"{size} bytes came, {file.size} are listed"
    if file.md5 is None:
        return None
    with partial.open("rb") as stream:
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return None if md5 == file.md5 else f"its MD5 is {md5}, {file.md5} is listed"
