"""`kernel`, the decorator, and `Kernel`: one function, and a compiled kernel for each kind of arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, overload

import torch

from helion_ir.autotuner.config import Config
from helion_ir.language.active import current
from helion_ir.runtime import graph_capture
from helion_ir.runtime.bound_kernel import BoundKernel
from helion_ir.runtime.definition import check_decorators, check_names, checked_function
from helion_ir.runtime.settings import Settings
from helion_ir.runtime.specialization import Specializer, aliases, capability, device_of, is_constexpr

ConfigLike = Config | Mapping[str, Any]
Guards = Callable[[Sequence[Any]], Hashable]
_CONTAINERS: frozenset[type] = frozenset({list, tuple, dict})


class Kernel:
    """A function with `hl.tile` loops, compiled and tuned when called.

    Attributes: `name`, `fn`, `signature`, `settings`, `configs` (what the author gave), and the function's own
    `__name__`, `__doc__`, `__code__` and so on. Decorating a method does not bind `self`.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        configs: Sequence[ConfigLike] = (),
        settings: Settings | None = None,
        key: Callable[..., Hashable] | None = None,
    ):
        self.fn = checked_function(fn)
        self.name = fn.__name__
        self.signature = inspect.signature(fn)
        self.settings = settings if settings is not None else Settings()
        self.configs: list[Config] = [_as_config(c) for c in configs]
        self._key = key
        self._arity = len(self.signature.parameters)
        self._constexprs = frozenset(
            i for i, p in enumerate(self.signature.parameters.values()) if _says_constexpr(p.annotation)
        )
        self._specializer = Specializer(
            static_shapes=self.settings.static_shapes, any_index_dtype=self.settings.index_dtype is not torch.int64
        )
        self._bound: dict[Hashable, BoundKernel | Guarded] = {}
        self._number = graph_capture.enrolled(self)
        for attr in (
            "__name__",
            "__qualname__",
            "__module__",
            "__doc__",
            "__annotations__",
            "__defaults__",
            "__code__",
        ):
            setattr(self, attr, getattr(fn, attr))
        self.__globals__ = fn.__globals__
        self.__kwdefaults__ = fn.__kwdefaults__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on tensors: what the function returns, computed by the compiled kernel."""
        if torch.compiler.is_dynamo_compiling():
            graph_capture.prepare()
            return graph_capture.in_graph(self._number, args, kwargs)  # pyright: ignore[reportOptionalCall]
        if current() is not None:
            from helion_ir import exc

            raise exc.NestedKernelCallsNotSupported(f"{self.name} is a kernel and cannot be called inside of one")
        if kwargs or len(args) != self._arity:
            args = self.normalize_args(*args, **kwargs)
        found = self._bound.get(self._base_key(args))
        bound = found if isinstance(found, BoundKernel) else self._select(found, args)
        return bound(*args)

    def bind(self, args: Sequence[Any]) -> BoundKernel:
        """The compiled kernel that serves these positional arguments, traced on first use.

        Missing trailing arguments take their defaults. Raises TypeError for too many or too few, and the errors of
        `helion_ir.exc` for what a kernel may not say.
        """
        if not isinstance(args, (tuple, list)):
            raise TypeError(f"bind takes one tuple of arguments, not {type(args).__name__}")
        full = self.normalize_args(*args)
        return self._select(self._bound.get(self._base_key(full)), full)

    def normalize_args(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The positional arguments of a call, keywords and defaults filled in."""
        if len(args) > self._arity:
            raise TypeError(f"too many arguments to {self.name}: it takes {self._arity}, {len(args)} were given")
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(f"{self.name}{self.signature}: {e}") from None
        bound.apply_defaults()
        return bound.args

    def specialization_key(self, args: Sequence[Any]) -> tuple[Hashable, ...]:
        """What calls must have in common to share a compiled kernel."""
        full = self.normalize_args(*args)
        base = self._base_key(full)
        found = self._bound.get(base)
        return (*base, *found.values(full)) if isinstance(found, Guarded) else base

    def _base_key(self, args: tuple[Any, ...]) -> tuple[Hashable, ...]:
        keys = self._specializer.keys(args)
        if self._constexprs:
            keys = tuple(
                [("constexpr", type(a), a) if i in self._constexprs else k for i, (a, k) in enumerate(zip(args, keys))]
            )
        # The same tensor twice is traced as one: `k(x, x)` is another kernel than `k(x, y)`.
        same = aliases(args) if len({*map(id, args)}) < len(args) or not _CONTAINERS.isdisjoint(map(type, args)) else ()
        device = device_of(args)
        if device is None:
            from helion_ir import exc

            raise exc.NoTensorArgs(f"no argument of {self.name} is a tensor or a torch.device")
        if self._key is not None:
            return (keys, same, device.type, capability(device), self._key(*args))
        return (keys, same, device.type, capability(device))

    def _select(self, found: BoundKernel | Guarded | None, args: tuple[Any, ...]) -> BoundKernel:
        """The bound kernel of a key: the one there, the one whose guards hold, or a new one."""
        if isinstance(found, BoundKernel):
            return found
        if found is not None and (bound := found.serving(args)) is not None:
            return bound
        if not self._bound:
            self._check_definition()
        base = self._base_key(args)
        bound = BoundKernel(self, args, base, unwrap=any(is_constexpr(a) for a in args))
        if found is None and bound.guards is None:
            self._bound[base] = bound
        else:
            if found is None:
                found = self._bound[base] = Guarded()
            found.add(bound, args)
        return bound

    # Not when the function is decorated, so that a module with a kernel that is never called can be imported.
    def _check_definition(self) -> None:
        from helion_ir.frontend.source import function_node

        check_names(self.fn)
        check_decorators(self.fn, function_node(self.fn), kernel)

    def autotune(self, args: Sequence[Any], *, force: bool = True, **options: Any) -> Config:
        """Search for the best config for these arguments, use it from now on, and return it."""
        full = self.normalize_args(*args)
        if force and self.settings.autotuner_fn is None and options.get("executor") is None:
            from helion_ir.autotuner.local import start_before_tracing

            start_before_tracing(self.settings, full)
        return self.bind(args).autotune(full, force=force, **options)

    def autotune_multi(
        self,
        arg_sets: Sequence[Sequence[Any]],
        *,
        aggregation: str = "geomean",
        relative_to: str | None = None,
        cache_tag: str | None = None,
        force: bool = True,
        **options: Any,
    ) -> Config:
        """Find one config for several argument sets, use it for all of them from now on, and return it.

        Args:
            arg_sets: Tuples of positional arguments; their kernels must have the same knobs.
            aggregation: "geomean" or "max" of the times of a config.
            relative_to: "default" divides each time by the default config's; None takes milliseconds as they are.
            cache_tag: Tells results apart where callbacks or dynamic shapes do; then it must be given.
            force: As for `autotune`, as are `options`.

        Raises `exc.InvalidAPIUsage` for what these say, and the errors of `autotune`.
        """
        from helion_ir.runtime.autotune_multi import autotune_multi

        return autotune_multi(
            self, arg_sets, aggregation=aggregation, relative_to=relative_to, cache_tag=cache_tag, force=force, options=options
        )  # fmt: skip

    def called_on(self, args: tuple[Any, ...]) -> bool:
        """Whether there is a bound kernel for these arguments."""
        found = self._bound.get(self._base_key(args))
        return isinstance(found, BoundKernel) or found is not None and found.serving(args) is not None

    def reset(self) -> None:
        """Forget every bound kernel."""
        self._bound.clear()

    def kernel_source(self) -> str:
        """The text of the decorated function."""
        return inspect.getsource(self.fn)

    def __repr__(self) -> str:
        return f"<helion kernel {self.fn.__module__}.{self.fn.__qualname__}>"


class Guarded:
    """Bound kernels of one key that differ in values found while tracing, such as those of `hl.specialize`.

    Kernels traced differently look at different values, and each serves only calls for which its own are as they were.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, ...], tuple[Guards, dict[Hashable, BoundKernel]]] = {}
        """By the expressions that are looked at: how to compute them, and the kernels by their values."""

    def add(self, bound: BoundKernel, args: Sequence[Any]) -> None:
        """Let a kernel traced for these arguments serve all alike."""
        values = bound.guards or _no_values
        self._groups.setdefault(bound.guard_texts, (values, {}))[1][values(args)] = bound

    def serving(self, args: Sequence[Any]) -> BoundKernel | None:
        """A kernel that serves these arguments."""
        for values, kernels in self._groups.values():
            if (bound := kernels.get(values(args))) is not None:
                return bound
        return None

    def values(self, args: Sequence[Any]) -> tuple[Hashable, ...]:
        """What of these arguments separates the kernels."""
        return tuple([values(args) for values, _ in self._groups.values()])


def _no_values(args: Sequence[Any]) -> Hashable:
    return ()


@overload
def kernel(
    fn: Callable[..., Any],
    *,
    config: ConfigLike | None = None,
    configs: Sequence[ConfigLike] | None = None,
    key: Callable[..., Hashable] | None = None,
    **settings: Any,
) -> Kernel: ...


@overload
def kernel(
    fn: None = None,
    *,
    config: ConfigLike | None = None,
    configs: Sequence[ConfigLike] | None = None,
    key: Callable[..., Hashable] | None = None,
    **settings: Any,
) -> Callable[[Callable[..., Any]], Kernel]: ...


def kernel(
    fn: Callable[..., Any] | None = None,
    *,
    config: ConfigLike | None = None,
    configs: Sequence[ConfigLike] | None = None,
    key: Callable[..., Hashable] | None = None,
    **settings: Any,
) -> Kernel | Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a function: `@kernel`, `@kernel(config=…)` or `kernel(f, config=…)`.

    `config` is used as it is, without tuning; of several `configs` the best is found; with neither the whole space
    is searched. `key(*args)`, hashable, separates calls that should be compiled and tuned apart. Other keywords are
    fields of `Settings`, or one `settings=Settings(…)`. Raises TypeError for an unknown setting.
    """
    assert not (config and configs), "give config or configs, not both"
    given = settings.pop("settings", None)
    assert given is None or not settings, "with settings=Settings(…), no other setting may be given"
    chosen = given if given is not None else Settings(**settings)
    listed = [config] if config is not None else list(configs or ())

    def decorate(function: Callable[..., Any]) -> Kernel:
        return Kernel(function, configs=listed, settings=chosen, key=key)

    return decorate if fn is None else decorate(fn)


def _as_config(config: ConfigLike) -> Config:
    return config if isinstance(config, Config) else Config.from_dict(config)


def _says_constexpr(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return "constexpr" in text.lower()
