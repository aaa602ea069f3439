"""Functions to combine two elements, for tl.reduce and tl.associative_scan."""

import triton
import triton.language as tl


@triton.jit
def fmax_nan(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)  # one instruction where the hardware has it


@triton.jit
def fmin_nan(a, b):
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def argmax_nan(a, i, b, j):
    # NaN is largest; among equals the first wins.
    a_nan = a != a
    b_nan = b != b
    greater = (a > b) | (a_nan & (b_nan == 0))
    equal = (a == b) | (a_nan & b_nan)
    first = greater | (equal & (i < j))
    return tl.where(first, a, b), tl.where(first, i, j)


@triton.jit
def argmin_nan(a, i, b, j):
    # NaN comes before every number, as in torch.argmin; among equals the first wins.
    a_nan = a != a
    b_nan = b != b
    less = (a < b) | (a_nan & (b_nan == 0))
    equal = (a == b) | (a_nan & b_nan)
    first = less | (equal & (i < j))
    return tl.where(first, a, b), tl.where(first, i, j)


@triton.jit
def max2(a, b):
    return tl.where(a > b, a, b)


@triton.jit
def min2(a, b):
    return tl.where(a < b, a, b)


@triton.jit
def add2(a, b):
    return a + b


@triton.jit
def mul2(a, b):
    return a * b


@triton.jit
def and2(a, b):
    return a & b


@triton.jit
def or2(a, b):
    return a | b


@triton.jit
def xor2(a, b):
    return a ^ b
