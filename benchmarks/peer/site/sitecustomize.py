"""Lets Helion 1.5 run beside PyTorch 2.11, which lacks one name that it imports; on PYTHONPATH of its processes.

Found by every process that Helion starts. The name is an exception class that nothing raises on this hardware.
"""

import importlib.abc
import importlib.machinery
import sys

MODULE = "torch._inductor.runtime.triton_compat"
NAME = "IntelGPUError"


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                if not hasattr(module, NAME):
                    setattr(module, NAME, type(NAME, (RuntimeError,), {}))

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
