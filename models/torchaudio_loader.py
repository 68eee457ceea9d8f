"""Import of torchaudio beside a torch that its compiled extension was not built for.

Nothing comes in; the ``torchaudio`` package goes out, usable for resampling and Kaldi features, which are pure Python.
On Linux the package index has CUDA builds of torchaudio only, and beside a CPU-only torch their extension fails to load
and takes the whole import down with it. It stands alone because it changes ``sys.modules``, which nothing else here
does: everyone that needs torchaudio, directly or through pyannote.audio, calls this first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final, TypeVar

_EXTENSION: Final = "torchaudio._extension"

_Function = TypeVar("_Function", bound=Callable[..., object])


def load_torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled extension where that cannot be loaded.

    Returns:
        The ``torchaudio`` module; the same one each time.

    Raises:
        ImportError: torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except OSError:
        _forget("torchaudio")
        sys.modules[_EXTENSION] = _extension_stand_in()
        return importlib.import_module("torchaudio")


def _forget(package: str) -> None:
    """Drop what a failed import left behind: some submodules stay in ``sys.modules`` half made."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


def _extension_stand_in() -> ModuleType:
    """Make the module that torchaudio itself would have where it was built without its extension."""
    module = ModuleType(_EXTENSION, "Stands where the compiled extension cannot be loaded.")
    vars(module).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=_unavailable)
    return module


def _unavailable(function: _Function) -> Callable[..., object]:
    """Replace a function that needs the extension by one that says so when it is called."""

    def refuse(*_: object, **__: object) -> object:
        raise RuntimeError(f"{function.__name__} needs torchaudio's compiled extension, which cannot be loaded here")

    return refuse
