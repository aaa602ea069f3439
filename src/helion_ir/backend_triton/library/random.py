"""Random bits: Triton's Philox, one of its four words at a time."""

import triton
import triton.language as tl


@triton.jit
def random_word(seed, offset, word: tl.constexpr):
    # The calls for the words of one offset are alike, so that Triton keeps one of them.
    words = tl.randint4x(seed, offset)
    return words[word].to(tl.int32, bitcast=True)
