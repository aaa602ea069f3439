"""Parsing that remembers where every op stood, so that what is wrong with one can be shown in the text."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Input, Span

from helion_ir.dialects.text_parser import TextParser


class SourceParser(TextParser):
    """xDSL's parser, with `spans`: the text of each op's first token.

    Whatever goes wrong inside of an op's own parsing or construction becomes a ParseError that points to the op: xDSL
    lets errors of attribute verification, failed assertions and the like out without a position.
    """

    def __init__(self, ctx: Context, text: str, name: str):
        super().__init__(ctx, text, name)
        self.spans: dict[Operation, Span] = {}

    def parse_operation(self) -> Operation:
        start = self._current_token.span
        try:
            op = super().parse_operation()
        except ParseError as error:
            if error.msg.endswith("is not registered"):  # xDSL points behind the name here
                raise ParseError(start, error.msg) from None
            raise
        except RecursionError as error:
            raise ParseError(start, "nested too deeply") from error
        except Exception as error:
            raise ParseError(start, describe(error)) from error
        self.spans[op] = start
        return op


def describe(error: BaseException) -> str:
    """One line for an exception: its message, with the class where the message alone would say nothing.

    >>> describe(ValueError("no such knob")), describe(KeyError("x")), describe(AssertionError())
    ('no such knob', "KeyError: 'x'", 'malformed operation')
    """
    text = str(error).strip().splitlines()
    if isinstance(error, AssertionError) and not text:
        return "malformed operation"
    plain = isinstance(error, ValueError | TypeError | NotImplementedError) or type(error).__module__.startswith("xdsl")
    if len(text) > 1 and text[0].endswith(":"):
        text[0] += " " + text[1].strip()
    return text[0] if text and plain else f"{type(error).__name__}: {text[0] if text else 'no message'}"


def parse_source(
    ctx: Context, data: bytes, name: str, implicit_module: bool = True
) -> tuple[ModuleOp, dict[Operation, Span]]:
    """Parse the text of a module.

    Args:
        ctx: the context with the dialects.
        data: UTF-8 text.
        name: the file's name, for messages.
        implicit_module: whether several ops, or one that is no module, may stand alone.

    Returns:
        The module and the position of every op in the text.

    Raises:
        ParseError: the text is malformed, in whatever way.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        input_ = Input(data.decode("utf-8", "replace"), name)
        at = len(data[: error.start].decode("utf-8", "replace"))
        raise ParseError(Span(at, at + 1, input_), "the file is not UTF-8 text") from error
    parser = SourceParser(ctx, text, name)
    try:
        return parser.parse_module(implicit_module), parser.spans
    except ParseError:
        raise
    except RecursionError as error:
        raise ParseError(Span(0, 1, Input(text, name)), "nested too deeply") from error
    except Exception as error:
        at = min(parser.pos, max(len(text) - 1, 0))
        raise ParseError(Span(at, at + 1, Input(text, name)), describe(error)) from error
