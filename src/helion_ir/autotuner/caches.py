"""Where results are kept, under the names that the setting `autotune_cache` knows, and `Cache[Search]`.

All keep measurements in the file of `SqliteStore`. The strict ones tell results apart by every file of the compilers
and not by their versions alone; the remote ones also ask a backend of the author's, `HELION_REMOTE_CACHE_BACKEND`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from helion_ir.autotuner.keys import store_key
from helion_ir.autotuner.protocol import Measurement, StoreKey
from helion_ir.autotuner.store import SqliteStore, assignment_from_json, assignment_to_json

if TYPE_CHECKING:
    from helion_ir.autotuner.author_searches import BaseSearch
    from helion_ir.autotuner.config import Config
    from helion_ir.autotuner.protocol import Store, TunableKernel


class LocalAutotuneCache:
    """Results in one file: `LocalAutotuneCache[PatternSearch]` is a value for the setting `autotuner_fn`."""

    strict: ClassVar[bool] = False
    remote: ClassVar[bool] = False

    def __init__(self, search: BaseSearch):
        self.search = search

    def __class_getitem__(cls, search: type[BaseSearch]) -> Callable[..., LocalAutotuneCache]:
        def autotuner(kernel: TunableKernel, args: Sequence[Any], **options: Any) -> LocalAutotuneCache:
            kept = {"store": cls.store(), "key": cls.key(kernel)}
            return cls(search(kernel, args, **kept, **options))

        return autotuner

    def autotune(self, *, skip_cache: bool = False) -> Config:
        """What is stored, else what the search finds; with `skip_cache` always the latter."""
        return self.search.autotune(skip_cache=skip_cache)

    @classmethod
    def store(cls) -> Store:
        """Where results are kept. Raises ValueError for a backend that cannot be had."""
        return RemoteStore(remote_backend()) if cls.remote else SqliteStore()

    @classmethod
    def key(cls, kernel: TunableKernel) -> StoreKey:
        """What tells results apart."""
        found = store_key(kernel)
        return replace(found, version=f"{found.version} files {compilers_digest()}") if cls.strict else found


class StrictLocalAutotuneCache(LocalAutotuneCache):
    """Results hold for the very files of helion-ir, PyTorch and Triton."""

    strict = True


class RemoteAutotuneCache(LocalAutotuneCache):
    """Results that the local file has not are asked of the backend, and put there."""

    remote = True


class StrictRemoteAutotuneCache(RemoteAutotuneCache):
    """Remote, for the very files of the compilers."""

    strict = True


class AOTAutotuneCache(LocalAutotuneCache):
    """Configurations by shape, tuned ahead of time: what `helion.aot_kernel` gives a kernel, and nothing else does."""

    def __init__(self, search: BaseSearch):
        raise _of_aot_kernels()

    def __class_getitem__(cls, search: type[BaseSearch]) -> Callable[..., LocalAutotuneCache]:
        raise _of_aot_kernels()


def _of_aot_kernels() -> Exception:
    from helion_ir import exc

    return exc.InvalidAPIUsage(
        "AOTAutotuneCache is what helion.aot_kernel makes of a kernel; decorate with helion.aot_kernel in place of "
        "helion.kernel"
    )


cache_classes: dict[str, type[LocalAutotuneCache]] = {
    cls.__name__: cls
    for cls in (LocalAutotuneCache, StrictLocalAutotuneCache, RemoteAutotuneCache, StrictRemoteAutotuneCache)
}
"""By name, as the setting `autotune_cache` has it."""


class RemoteCacheBackend(ABC):
    """Texts by key, somewhere else. The class is named by `HELION_REMOTE_CACHE_BACKEND=package.module.Class`."""

    @abstractmethod
    def get(self, key: str) -> str | None:
        """The text of a key; None where there is none."""

    @abstractmethod
    def put(self, key: str, value: str) -> None:
        """Keep a text."""

    def list(self) -> Iterable[str]:
        """The keys there are, for tools."""
        return ()


def remote_backend() -> RemoteCacheBackend:
    """An object of the class named by the environment. Raises ValueError where there is none."""
    variable = "HELION_REMOTE_CACHE_BACKEND"
    path = os.environ.get(variable, "")
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise ValueError(f"{variable}={path!r} names no class that can be imported: {e}") from None
    if not (isinstance(found, type) and issubclass(found, RemoteCacheBackend)):
        raise ValueError(f"{variable}={path!r} is no helion_ir.autotuner.RemoteCacheBackend")
    return found()


class RemoteStore(SqliteStore):
    """The local file, and a backend for the best of each key. What a backend fails with is said once, and no more."""

    def __init__(self, backend: RemoteCacheBackend, path: Path | None = None):
        super().__init__(path)
        self.backend = backend

    def best(self, key: StoreKey) -> Measurement | None:
        found = super().best(key)
        if found is None and (text := self._asked(self.backend.get, _name(key))) is not None:
            try:
                data = json.loads(text)
                found = Measurement(assignment_from_json(json.dumps(data["assignment"])), float(data["milliseconds"]))
            except (ValueError, KeyError, TypeError) as e:
                self._warn_once(f"the remote cache holds something else under {_name(key)}: {e}")
        return found

    def set_best(self, key: StoreKey, best: Measurement) -> None:
        super().set_best(key, best)
        assignment = json.loads(assignment_to_json(best.assignment))
        text = json.dumps({"assignment": assignment, "milliseconds": best.milliseconds})
        self._asked(self.backend.put, _name(key), text)

    def _asked(self, call: Callable[..., Any], *args: str) -> Any:
        try:
            return call(*args)
        except Exception as e:
            self._warn_once(f"the remote cache fails: {type(e).__name__}: {e}")
            return None


def _name(key: StoreKey) -> str:
    return hashlib.sha256(json.dumps(astuple(key)).encode()).hexdigest()


@functools.cache
def compilers_digest() -> str:
    """Of the files of helion-ir, and of what installers recorded of PyTorch's and Triton's."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    for name in ("torch", "triton"):
        try:
            digest.update((importlib.metadata.distribution(name).read_text("RECORD") or "").encode())
        except importlib.metadata.PackageNotFoundError:
            digest.update(b"none")
    return digest.hexdigest()[:16]
