"""`BoundKernel`: a kernel traced for one kind of arguments; choosing its config, and running it."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, StringAttr, UnitAttr

from helion_ir.autotuner.config import Config
from helion_ir.autotuner.config_spec import ConfigSpec
from helion_ir.autotuner.space import Assignment, ConfigSpace
from helion_ir.runtime.compile_phases import phase
from helion_ir.runtime.live_globals import with_live_globals
from helion_ir.runtime.output_code import OutputCodeOptions, caller_text, described, repro_text
from helion_ir.runtime.settings import RefMode, Settings, parse_bool
from helion_ir.runtime.specialization import INT32_ELEMENTS, device_of, is_constexpr, stable_text, tensors_in
from helion_ir.runtime.stages import Stages, assignment_key
from helion_ir.runtime.tile_interpreter import TileInterpreter
from helion_ir.runtime.tooling import Environment, HostFunction
from helion_ir.targets import TARGETS, Target, get_target

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.autotuner.reference_program import ReferenceProgram
    from helion_ir.backend_triton.compile import Compiled
    from helion_ir.backend_triton.printed import PrintedModule, PrintOptions
    from helion_ir.runtime.kernel import Kernel

Run = Callable[..., Any]

SPECIALIZED = "helion_ir.specialized"
"""The module attribute that lists host expressions whose values the trace depends on."""


class BoundKernel:
    """The compiled form of a kernel for arguments of one specialization key.

    Tensors on a GPU run as tuned Triton. Tensors on the CPU run in the interpreter of the tile dialect, without
    tuning; with TRITON_INTERPRET=1 the generated Triton runs in Triton's own interpreter.
    """

    def __init__(
        self, kernel: Kernel, args: tuple[Any, ...], specialization: tuple[Hashable, ...], *, unwrap: bool = False
    ):
        device = device_of(args)
        assert device is not None
        self.kernel = kernel
        self.specialization = specialization
        """What calls served by this kernel have in common."""
        self.settings: Settings = kernel.settings
        self.device = device
        self._unwraps = unwrap
        self._config: Config | None = None
        self._loaded: dict[Hashable, Run] = {}
        self._stages: dict[Target, Stages] = {}
        self._run: Run | None = None
        self._example = described(self._unwrapped(args))
        self._trace_of = args
        eager = self.settings.ref_mode is RefMode.EAGER
        self._guarded = () if eager or self.guards is None else self.guards(args)
        if not eager:
            self._trace_of = ()  # no tensor of a call is kept alive

    @functools.cached_property
    def _tile(self) -> ModuleOp:
        """The traced kernel; in the reference mode there is none until somebody asks."""
        return self._traced(self._trace_of)

    @functools.cached_property
    def _interpreter(self) -> TileInterpreter:
        return TileInterpreter(self._tile, self.kernel.fn.__globals__)

    def _traced(self, args: tuple[Any, ...]) -> ModuleOp:
        from helion_ir import exc
        from helion_ir.frontend import trace
        from helion_ir.passes.collection import uncollected

        if self.settings.index_dtype == torch.int32 and any(t.numel() > INT32_ELEMENTS for t in tensors_in(args)):
            raise exc.InputTensorNumelExceedsIndexType(
                f"an argument of {self.kernel.name} has more elements than index_dtype=torch.int32 can count"
            )
        warnings: list[exc.BaseWarning] = []
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False), uncollected(), phase("trace"):
            module = trace(
                self.kernel.fn,
                self._unwrapped(args),
                static_shapes=self.settings.static_shapes,
                dot_precision=self.settings.dot_precision,
                index_dtype=self.settings.index_dtype,
                warnings=warnings,
            )
        for warning in warnings:
            exc.warn(warning, tuple(self.settings.ignore_warnings))
        if self.settings.fast_math:
            from helion_ir.passes.relax_precision import FAST_MATH

            module.attributes[FAST_MATH] = UnitAttr()
        if reserved := self.settings.persistent_reserved_sms:
            from helion_ir.passes.map_grid import RESERVED

            module.attributes[RESERVED] = IntegerAttr(reserved, 64)
        return module

    @functools.cached_property
    def guard_texts(self) -> tuple[str, ...]:
        """The expressions over the parameters whose values tracing depended on, beyond the key."""
        found = self._tile.attributes.get(SPECIALIZED)
        return tuple([t.data for t in found if isinstance(t, StringAttr)]) if isinstance(found, ArrayAttr) else ()

    @functools.cached_property
    def guards(self) -> Callable[[Sequence[Any]], Hashable] | None:
        """From arguments to the values that tracing specialized on, beyond the key; None where there are none."""
        if self.settings.ref_mode is RefMode.EAGER:
            return None
        texts = self.guard_texts
        if not texts:
            return None
        # Expressions of the author's own, over the parameters, as the host code has them.
        source = f"lambda {', '.join(self.kernel.signature.parameters)}: ({', '.join(texts)},)"
        values = eval(source, self.kernel.fn.__globals__)
        return lambda args: tuple([(type(v), v) for v in values(*self._unwrapped(tuple(args)))])

    # ---- the space

    @functools.cached_property
    def target(self) -> Target:
        """The device's record."""
        if self.device.type == "cuda":
            from helion_ir.backend_triton.devices import get_device_target

            return get_device_target(self.device)
        return get_target("cpu")

    def stages_for(self, target: Target | str) -> Stages:
        """The stages of this kernel on a target, by record or by name; no device is needed."""
        record = get_target(target) if isinstance(target, str) else target
        found = self._stages.get(record)
        if found is None:
            # The module names its target, so that the record of a device nobody listed must be found by name too.
            TARGETS.setdefault(record.name.lower(), record)
            without = frozenset() if self.settings.allow_warp_specialize else frozenset({"range_warp_specializes"})
            found = self._stages[record] = Stages(self._tile, record, without, self._print_options())
        return found

    def _print_options(self, *, origin_lines: bool = False) -> PrintOptions | None:
        """What printed texts show besides the program; None for nothing."""
        asserts, free = self.settings.debug_dtype_asserts, self.settings.triton_do_not_specialize
        if not (origin_lines or asserts or free):
            return None
        from helion_ir.backend_triton.printed import PrintOptions

        return PrintOptions(origin_lines, asserts, free)

    @functools.cached_property
    def lowering(self) -> Stages:
        """The stages on this kernel's own device."""
        return self.stages_for(self.target)

    @property
    def config_space(self) -> ConfigSpace:
        """What the tuner may decide."""
        return self.lowering.space

    @functools.cached_property
    def config_spec(self) -> ConfigSpec:
        """The same, in the words of Helion's interface."""
        return ConfigSpec(self.config_space)

    @property
    def configs(self) -> list[Config]:
        """What the author gave."""
        return self.kernel.configs

    # ---- what tuning needs

    @property
    def function_name(self) -> str:
        """The host function's name in a printed module."""
        return self.kernel.name

    def printed(self, assignment: Assignment) -> PrintedModule:
        """The printed module of a complete assignment, with kernel and host text apart."""
        return self.lowering.printed(assignment)

    def cache_key(self) -> str:
        """Text of what this kernel is specialized on, the same in every process."""
        return stable_text((self.specialization, self._guarded))

    def canonical_text(self) -> str:
        """The tile module without locations: what kernels have in common that may share tuning results."""
        from helion_ir.dialects.context import canonical_text

        return canonical_text(self._tile)

    def reference(self, args: Sequence[Any]) -> Any:
        """The result for positional arguments, without Triton."""
        return self.run_ref(*args)

    def reference_program(self) -> ReferenceProgram:
        """What `reference` runs, as text, for a process that has nothing of this kernel."""
        from helion_ir.autotuner.reference_program import ReferenceProgram

        given = self._config or (self.configs[0] if self.configs else None)
        configured = None if given is None else self.lowering.declared_space.encode(given)
        return ReferenceProgram.of(self._tile, self._interpreter.assignment(configured))

    # ---- what tools ask

    @property
    def env(self) -> Environment:
        """What this kernel is compiled for."""
        settings = self.settings
        return Environment(self.device, self.target, settings, self.config_spec, settings.backend, self.guard_texts)

    @property
    def host_function(self) -> HostFunction:
        """The function that was decorated."""
        kernel = self.kernel
        return HostFunction(kernel.name, kernel.fn, kernel.kernel_source(), tuple(kernel.signature.parameters))

    def bench_compile_config(
        self, config: Config | Mapping[str, Any] | None = None, *, allow_print: bool = False
    ) -> Run:
        """As `compile_config`, for measuring: nothing is printed unless asked for."""
        return self.compile_config(config, allow_print=allow_print)

    def backend_cache_key(self, config: Config | Mapping[str, Any] | None = None) -> str | None:
        """A digest of a config's generated program; None where no config is given, set or implied."""
        found = config if config is not None else self._implied_or_none()
        return None if found is None else hashlib.sha256(self.to_triton_code(found).encode()).hexdigest()

    def extra_cache_key(self) -> str:
        """What tells stored results of this kernel apart beside its program: what its arguments are specialized on."""
        return self.cache_key()

    def is_cacheable(self) -> bool:
        """Whether results of tuning this kernel may stand for later ones: not those of a clock or tuner of the author's."""
        return self.settings.autotune_benchmark_fn is None and self.settings.autotuner_fn is None

    def maybe_log_repro(self, log: Callable[[str], object], args: Sequence[Any], config: Config | None = None) -> None:
        """Under `print_repro`, hand `log` a program that makes arguments like these and calls the kernel."""
        if self.settings.print_repro:
            log(self.kernel.bind(args).repro(config))

    # ---- looking inside

    @property
    def tile_module(self) -> ModuleOp:
        """The traced kernel; not to be changed."""
        return self._tile

    def ir(self, stage: str = "tile", config: Config | Mapping[str, Any] | None = None) -> str:
        """The IR after a stage: "tile", "declared", the name of a pass, "template", or "materialize-config".

        Stages after "declared" are those of `config`, by default the config of a call, else the default config.
        Raises ValueError, listing the stages, for a name that is none.
        """
        from helion_ir.dialects.context import module_text

        if stage == "tile":
            return module_text(self._tile)
        if stage == "declared":
            return module_text(self.lowering.declared)
        texts = self.stages(config)
        for name, text in reversed(texts):
            if name == stage:
                return text
        raise ValueError(f"no stage {stage!r}; there are {', '.join(dict.fromkeys(n for n, _ in texts))}")

    def stages(self, config: Config | Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
        """(stage, IR text) from tile to concrete, one entry a pass, in the order they ran."""
        return self.lowering.texts(self._assignment_to_show(self.lowering, config))

    def materialize(self, config: Config | Mapping[str, Any] | None = None) -> ModuleOp:
        """The triton module with every knob bound."""
        return self.lowering.concrete(self._assignment_to_show(self.lowering, config))

    def compile_for(self, target: Target | str, config: Config | Mapping[str, Any] | None = None) -> Compiled:
        """Compile one config for a target that need not be present: an object with `.asm` and `.resources`."""
        lowering = self.stages_for(target)
        return lowering.compiled(self._assignment_to_show(lowering, config))

    def compile_kernels_for(
        self, target: Target | str, config: Config | Mapping[str, Any] | None = None
    ) -> tuple[Compiled, ...]:
        """As `compile_for`, of every kernel that a call launches: one a phase between barriers."""
        lowering = self.stages_for(target)
        return lowering.compiled_kernels(self._assignment_to_show(lowering, config))

    def to_triton_code(
        self,
        config: Config | Mapping[str, Any] | None = None,
        *,
        emit_repro_caller: bool = False,
        output_origin_lines: bool | None = None,
    ) -> str:
        """The generated program of a config: one Python file, with kernel and host function.

        Args:
            config: That of a call if omitted; raises RuntimeError where none is set or implied.
            emit_repro_caller: Append `call()`, which makes arguments like those this kernel was bound to and calls
                the program, and run it where the file is the main program.
            output_origin_lines: Whether comments say which of the author's lines each part comes from; by default
                what the setting of that name says.
        """
        origin_lines = self.settings.output_origin_lines if output_origin_lines is None else output_origin_lines
        assignment = self.config_space.encode(self._implied(config))
        options = self._print_options(origin_lines=origin_lines)
        text = self.lowering.printed(assignment, *([] if options is None else [options])).text
        return text + caller_text(self.kernel.name, self.kernel.signature, self._example) if emit_repro_caller else text

    def to_code(
        self,
        config: Config | Mapping[str, Any] | None = None,
        *,
        options: OutputCodeOptions | None = None,
        emit_repro_caller: bool = False,
        output_origin_lines: bool | None = None,
    ) -> str:
        """As `to_triton_code`. Generated files never import helion-ir, so that `options` have nothing to change."""
        if options is not None and not isinstance(options, OutputCodeOptions):
            from helion_ir import exc

            raise exc.InvalidAPIUsage(f"options are OutputCodeOptions(…), not {type(options).__name__}")
        return self.to_triton_code(config, emit_repro_caller=emit_repro_caller, output_origin_lines=output_origin_lines)

    def compile_config(self, config: Config | Mapping[str, Any] | None = None, *, allow_print: bool = True) -> Run:
        """The host function of a config, loaded and ready to launch; kept, so that a config is loaded once."""
        return self._load(self.config_space.encode(self._implied(config)), allow_print=allow_print)

    def _load(self, assignment: Assignment, *, allow_print: bool = True) -> Run:
        key = assignment_key(assignment)
        found = self._loaded.get(key)
        if found is None:
            from helion_ir.backend_triton.loader import load

            printed = self.lowering.printed(assignment)
            if allow_print and self.settings.print_output_code:
                config = self.config_space.decode(assignment)
                print(f"# {self.get_cached_path(config)}\n{self.to_triton_code(config)}", file=sys.stderr)
            names = self.kernel.fn.__globals__
            with phase("load"):
                found = self._loaded[key] = with_live_globals(load(printed, names), names)
        return found

    def get_cached_path(self, config: Config | Mapping[str, Any] | None = None) -> str | None:
        """The path of a file with a config's generated program; None where no config is set or implied."""
        from helion_ir.backend_triton.loader import write_text

        found = config if config is not None else self._implied_or_none()
        return None if found is None else str(write_text(self.to_triton_code(found)))

    def format_kernel_decorator(self, config: Config, settings: Settings | None = None) -> str:
        """The decorator that fixes a config, ready to paste."""
        settings = settings if settings is not None else self.settings
        parts = [f"config={config!r}", f"static_shapes={settings.static_shapes}"]
        if settings.index_dtype is not None:
            parts.append(f"index_dtype={settings.index_dtype}")
        return f"@helion.kernel({', '.join(parts)})"

    def repro(self, config: Config | None = None) -> str:
        """A program that makes arguments like those of the call and calls this kernel, from its source."""
        decorator = self.format_kernel_decorator(config or self._implied_or_none() or Config())
        return repro_text(self.kernel.fn, decorator, self.kernel.signature, self._example)

    # ---- the config of a call

    def set_config(self, config: Config | Mapping[str, Any]) -> None:
        """Use a config for all later calls. Raises `exc.InvalidConfig`."""
        full = config if isinstance(config, Config) else Config.from_dict(config)
        self.config_space.encode(full)
        self._config = full
        self._run = None

    def ensure_config_exists(self, args: Sequence[Any]) -> None:
        """Choose the config of a call, tuning if that is what it takes."""
        if self._config is not None:
            return
        settings = self.settings
        if settings.autotune_effort == "none" and (not self.configs or settings.force_autotune):
            config = self.config_spec.default_config()
            print(f"{self.kernel.name}: not tuned, using {self.format_kernel_decorator(config)}", file=sys.stderr)
            self.set_config(config)
        elif settings.force_autotune:
            self.autotune(args, force=True)
        elif len(self.configs) == 1:
            self.set_config(self.configs[0])
        else:
            self.autotune(args, force=False)

    def autotune(self, args: Sequence[Any], *, force: bool = True, **options: Any) -> Config:
        """Search, use the best config for all later calls, and return it.

        With `force` false a single given config is taken as it is, and a stored result is taken from the cache.
        Raises `exc.AutotuningDisallowedInEnvironment` under HELION_DISALLOW_AUTOTUNING=1.
        """
        if not force and len(self.configs) == 1:
            self.set_config(self.configs[0])
            return self.configs[0]
        if parse_bool(os.environ.get("HELION_DISALLOW_AUTOTUNING") or "0"):
            from helion_ir import exc

            raise exc.AutotuningDisallowedInEnvironment(
                f"{self.kernel.name} has no config, and HELION_DISALLOW_AUTOTUNING forbids to search for one"
            )
        if self.settings.autotuner_fn is not None:
            tuner = self.settings.autotuner_fn(self, self._unwrapped(tuple(args)), **options)
            config = tuner.autotune(skip_cache=force)
        else:
            from helion_ir.autotuner import tune

            if len(self.configs) > 1:
                options.setdefault("configs", self.configs)
            config = tune(self, self._unwrapped(tuple(args)), force=force, **options)
        self.set_config(config)
        return config

    def _implied(self, config: Config | Mapping[str, Any] | None) -> Config | Mapping[str, Any]:
        found = config if config is not None else self._implied_or_none()
        if found is None:
            raise RuntimeError(
                f"{self.kernel.name}: no config was given, and none is set; pass one, or call set_config"
            )
        return found

    def _implied_or_none(self) -> Config | None:
        if self._config is not None:
            return self._config
        if len(self.configs) == 1 and not self.settings.force_autotune:
            return self.configs[0]
        return self.config_spec.default_config() if self.settings.autotune_effort == "none" else None

    def _assignment_to_show(self, lowering: Stages, config: Config | Mapping[str, Any] | None) -> Assignment:
        found = config if config is not None else self._config or (self.configs[0] if self.configs else None)
        return lowering.space.legal_default() if found is None else lowering.space.encode(found)

    # ---- running

    def __call__(self, *args: Any) -> Any:
        """Run on positional arguments, complete and of this kernel's specialization."""
        run = self._run
        if run is None:
            run = self._resolve(args)
        if not torch.is_grad_enabled():
            return run(*args)
        # Results carry no autograd history, whatever the host code returns. As a statement it would take twice as long.
        torch.set_grad_enabled(False)
        try:
            return run(*args)
        finally:
            torch.set_grad_enabled(True)

    def _resolve(self, args: tuple[Any, ...]) -> Run:
        """The function that later calls go to directly."""
        if self.settings.print_repro:
            print(self.repro(), file=sys.stderr)
        triton_interprets = os.environ.get("TRITON_INTERPRET") == "1"
        if self.settings.ref_mode is RefMode.EAGER:
            from helion_ir import exc

            if triton_interprets:
                raise exc.IncompatibleInterpretModes("HELION_INTERPRET and TRITON_INTERPRET cannot both be on")
            if self.settings.print_output_code:
                raise exc.RefEagerModeCodePrintError("print_output_code: the reference mode generates no code")
            from helion_ir.runtime.eager_language import run_eagerly

            given = self._config or (self.configs[0] if self.configs else None)
            run = run_eagerly(self.kernel.fn, self.device, given, tuple(self.settings.ignore_warnings))
        elif self.device.type == "cpu" and not triton_interprets:
            run = self._interpreted()
        elif self.device.type == "cpu":
            # Triton's interpreter measures nothing, so there is nothing to search for.
            chosen = self._config or (self.configs[0] if self.configs else self.config_spec.default_config())
            run = self._load(self.config_space.encode(chosen))
        else:
            self.ensure_config_exists(args)
            run = self.compile_config()
            if torch.cuda.device_count() > 1:
                run = functools.partial(_call_on_device, run)
        self._run = functools.partial(_call_unwrapped, run) if self._unwraps else run
        return self._run

    def run_ref(self, *args: Any) -> Any:
        """Run in the reference interpreter, whatever the device; Triton plays no part."""
        with torch.no_grad():
            return self._interpreted()(*self._unwrapped(args))

    def _interpreted(self) -> Run:
        given = self._config or (self.configs[0] if self.configs else None)
        # Lowering plays no part here, so that a config is checked against the declarations alone.
        configured = None if given is None else self.lowering.declared_space.encode(given)
        return self._interpreter.function(configured)

    def _unwrapped(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(a.value if is_constexpr(a) else a for a in args) if self._unwraps else args


def _call_unwrapped(run: Run, *args: Any) -> Any:
    return run(*[a.value if is_constexpr(a) else a for a in args])


# Triton launches on the current device; kernels of one key may serve several devices of one kind.
def _call_on_device(run: Run, *args: Any) -> Any:
    with torch.cuda.device(device_of(args)):
        return run(*args)
