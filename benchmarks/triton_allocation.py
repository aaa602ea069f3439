"""What Triton allocates for a kernel, without generating code: its passes up to the allocation, a tenth of a compilation."""

from typing import Any

from helion_ir.backend_triton.compile import Job, make_job
from helion_ir.backend_triton.loader import load_kernels
from helion_ir.backend_triton.printed import PrintedModule
from helion_ir.targets import Target

NVIDIA = ("add_combine_tensor_select_and_if", "add_allocate_warp_groups")
AMD = ("add_update_async_wait_count", "add_warp_pipeline_conversion")


def ttgir(job: Job) -> tuple[Any, Any, dict[str, str]]:
    """The module after Triton's GPU passes, its options, and the texts of the stages so far."""
    from triton._C.libtriton import ir
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler.compiler import make_backend

    function = load_kernels(job.kernel_text)[job.kernel]
    names = list(function.arg_names)
    signature = {n: job.signature.get(n, "constexpr") for n in names}
    attrs = {(names.index(p),): [["tt.divisibility", 16]] for p in job.divisible}
    source = ASTSource(fn=function, signature=signature, constexprs=dict(job.constexprs), attrs=attrs)
    target = GPUTarget(job.backend, job.arch, job.warp_size)
    backend = make_backend(target)
    options = backend.parse_options(dict(job.options))
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    functions = backend.get_codegen_implementation(options)
    module = source.make_ir(target, options, functions, backend.get_module_map(), context)
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options, source.language)
    texts: dict[str, str] = {}
    for name in ("ttir", "ttgir"):
        module = stages[name](module, {})
        texts[name] = str(module)
    return module, options, texts


def allocated(printed: PrintedModule, target: Target) -> dict[str, int]:
    """The most bytes of shared and of tensor memory of any of a program's kernels."""
    shared, tensor = 0, 0
    for launch in {x.kernel: x for x in printed.launches}.values():
        module, options, _ = ttgir(make_job(printed, launch, target))
        _allocate(module, options, target)
        shared = max(shared, module.get_int_attr("ttg.shared") or 0)
        tensor = max(tensor, module.get_int_attr("ttg.tensor_memory_size") or 0)
    return {"shared": shared, "tensor": tensor * 512}


def _allocate(module: Any, options: Any, target: Target) -> None:
    from triton._C.libtriton import ir, passes

    pm = ir.pass_manager(module.context)
    if target.backend == "cuda":
        from triton._C.libtriton import nvidia
        from triton.backends.nvidia.compiler import get_ptx_version_from_options

        for name in NVIDIA:
            getattr(passes.ttgpuir, name)(pm)
        passes.convert.add_scf_to_cf(pm)
        version = get_ptx_version_from_options(options, target.arch)
        nvidia.passes.ttgpuir.add_allocate_shared_memory_nv(pm, target.arch, version)
        nvidia.passes.ttnvgpuir.add_allocate_tensor_memory(pm)
    else:
        from triton._C.libtriton import amd

        for name in AMD:
            if hasattr(amd.passes.ttgpuir, name):  # 3.7 and later
                getattr(amd.passes.ttgpuir, name)(pm, options.arch)
        passes.convert.add_scf_to_cf(pm)
        passes.convert.add_index_to_llvmir(pm)
        own = getattr(amd.passes.ttgpuir, "add_allocate_shared_memory", None)
        (own or passes.ttgpuir.add_allocate_shared_memory)(pm)
    pm.run(module, "allocation")
