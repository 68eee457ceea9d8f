"""Files and folders that a power cut leaves whole, under names that nobody else has.

A path and its content go in; whoever reads finds the old content or the new one, and what was renamed or made is still
there when the machine comes back. It stands alone because everything that is kept between two runs is written so:
records, revisions, voices, checkpoints, keys.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import time
from pathlib import Path
from typing import Final

_NAME_BYTES: Final = 255
_SUFFIX_BYTES: Final = 20
_UNFINISHED: Final = re.compile(r"\.tribune-[0-9a-f]{16}\.tmp")
_ABANDONED_S: Final = 3600.0
"""So long after it was last changed nobody writes a file any more: writing one takes less than a second."""
_NO_REPLACE: Final = 1
_HERE: Final = -100


def free_path(path: Path) -> Path:
    """Return the path, or the first like it with a number, at which there is nothing."""
    count = 1
    while os.path.lexists(numbered := path.with_name(fit_name(path, count))):
        count += 1
    return numbered


def fit_name(path: Path, count: int = 1, tail: str = "") -> str:
    """Return a path's file name with a number from 2 before its extension and a tail after, as long as names may be.

    Example:
        >>> fit_name(Path("talk.mp4"), 2, ".reason.txt")
        'talk (2).mp4.reason.txt'
    """
    # What follows the last dot of a sentence is no extension.
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _SUFFIX_BYTES else ""
    end = f" ({count}){suffix}{tail}" if count > 1 else f"{suffix}{tail}"
    room = _NAME_BYTES - len(os.fsencode(end))
    stem = path.name.removesuffix(suffix)
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + end


def rename_new(source: Path, target: Path) -> None:
    """Rename a file to a name that is not taken, atomically where the system can.

    Raises:
        FileExistsError: The name is taken.
        OSError: The rename cannot be done.
    """
    if _rename_no_replace(source, target):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _rename_no_replace(source: Path, target: Path) -> bool:
    """Rename with Linux's own call; ``False`` where the system or the file system does not have it."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NO_REPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file so that a reader, or a power cut, finds the old content or the new one whole.

    Args:
        path: The file; its folder exists.
        content: All of it.
        private: Whether nobody but its owner may read it.

    Raises:
        OSError: It cannot be written; nothing has changed.
    """
    # A name of its own: the file's may already be as long as a name can be, and another thread, process or machine
    # may be writing another file of this folder.
    temporary = path.with_name(f".tribune-{secrets.token_hex(8)}.tmp")
    try:
        mode = 0o600 if private else 0o666
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove, in a folder and those below, what :func:`write_whole` left when its process was killed an hour ago."""
    for place, _, names in os.walk(folder):
        for name in filter(_UNFINISHED.fullmatch, names):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < time.time() - _ABANDONED_S:
                    path.unlink()


def write_changed(path: Path, text: str) -> bool:
    """Write a text unless it is there already; say whether it was written."""
    content = text.encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    write_whole(path, content)
    return True


def make_folder(folder: Path) -> None:
    """Make a folder that survives a power cut; one that is there is left alone."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where its file system can promise that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


def sync_handle(handle: int) -> None:
    """Make what an open file or folder holds survive a power cut, where its file system can promise that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EROFS}:
            raise
