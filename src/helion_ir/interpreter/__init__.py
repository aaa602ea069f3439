"""Runs the IR of any stage on torch tensors, to check each pass against the stage before it."""

from helion_ir.interpreter.assignments import default_assignment, largest_assignment
from helion_ir.interpreter.deadline import at_most
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.host import compile_module, run_module

__all__ = ["InterpreterError", "at_most", "compile_module", "default_assignment", "largest_assignment", "run_module"]
