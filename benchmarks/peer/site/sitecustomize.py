"""Lets Helion 1.5 run beside PyTorch 2.11, which lacks one name that it imports; on PYTHONPATH of its processes.

Found by every process that Helion starts. The name is an exception class that nothing raises on this hardware.
"""

import importlib.abc
import importlib.machinery
import sys

MODULE = "torch._inductor.runtime.triton_compat"
NAME = "IntelGPUError"


def _complete(module):
    if not hasattr(module, NAME):
        setattr(module, NAME, type(NAME, (RuntimeError,), {}))


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _complete(module)

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
if MODULE in sys.modules:
    _complete(sys.modules[MODULE])
