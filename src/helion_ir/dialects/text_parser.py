"""xDSL's parser on tokens that one regular expression finds; types, expressions and locations are read once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import LocationAttr
from xdsl.parser import AttrParser, Parser
from xdsl.parser.generic_parser import ParserState
from xdsl.utils.lexer import Input, Span, Token
from xdsl.utils.mlir_lexer import KIND_BY_PUNCTUATION_SPELLING, MLIRLexer, MLIRToken, MLIRTokenKind, StringLiteral

# A group a kind of token. What matches none is left to xDSL: strings with escapes, floats, `...`, whatever is wrong.
# Nothing here goes back into spaces or digits that it has passed.
_TOKEN = re.compile(
    r"""(?:\s++|//[^\n]*+)*+(?:
        ([a-zA-Z_][a-zA-Z0-9_$.]*+)
      | (->|[:,()}\[\]<>=+/*?|-]|\{(?!-\#))
      | (%(?:[0-9]++|[a-zA-Z$._-][a-zA-Z0-9$._-]*+))
      | (@[a-zA-Z_][a-zA-Z0-9_$.]*+)
      | ([0-9]++(?![.x]))
      | ("[^"\\\n\v\f]*+")
      | (!(?:[0-9]++|[a-zA-Z$._-][a-zA-Z0-9$._-]*+))
      | (\#(?!-\})(?:[0-9]++|[a-zA-Z$._-][a-zA-Z0-9$._-]*+))
    )""",
    re.ASCII | re.VERBOSE,
)
# What stands in angle brackets and can be found again by its text: no arrows or comments, and of strings those without
# escapes. Spaces come after.
_STRING_TEXT = r"\"[^\"\\\n\v\f]*+\""
_INNER = rf"(?:[^<>\"/-]|-(?!>)|{_STRING_TEXT})"
_BODY = re.compile(rf"(<(?:{_INNER}|<{_INNER}*+>)*+>)\s*+", re.ASCII)

# An index expression up to the bracket that ends it, and a location up to the end of its line.
_EXPRESSION = re.compile(rf"((?:[^<>\"\n]|{_STRING_TEXT})++)(?=>)")
_LOCATION = re.compile(r"(loc\([^\n]*+)\n\s*+")

_PUNCTUATION, _STRING = 2, 6
_KINDS = (
    None, MLIRTokenKind.BARE_IDENT, None, MLIRTokenKind.PERCENT_IDENT, MLIRTokenKind.AT_IDENT, MLIRTokenKind.INTEGER_LIT,
    MLIRTokenKind.STRING_LIT, MLIRTokenKind.EXCLAMATION_IDENT, MLIRTokenKind.HASH_IDENT,
)  # fmt: skip


class TextToken(Token[MLIRTokenKind, str]):
    """A token that has its text; xDSL's cuts it out each time it is asked, which is several times a token."""

    __slots__ = ("text",)

    def __init__(self, kind: MLIRTokenKind, span: Span[str], text: str):
        self.kind = kind
        self.span = span
        self.text = text  # pyright: ignore[reportAttributeAccessIssue, reportIncompatibleMethodOverride]


class TextLexer(MLIRLexer):
    """xDSL's lexer, faster; its own expression for strings takes exponential time where a quote is missing."""

    _unescaped_characters_regex = re.compile(r'"(?:[^"\\\n\v\f]|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*"')

    def lex(self) -> MLIRToken:
        match = _TOKEN.match(self.input.content, self.pos)
        if match is None:
            return super().lex()
        group = match.lastindex
        assert group is not None
        start, self.pos = match.span(group)
        text = match[group]
        kind = KIND_BY_PUNCTUATION_SPELLING[text] if group == _PUNCTUATION else _KINDS[group]
        span = (StringLiteral if group == _STRING else Span)(start, self.pos, self.input)
        return TextToken(kind, span, text)  # pyright: ignore[reportArgumentType]


MOST_KNOWN = 50_000
"""Texts whose meanings are kept."""


class Known(dict[tuple[str, ...], Any]):
    """What texts mean that stood in modules before. A meaning is kept where reading it ended where the text does."""

    def keep(self, key: tuple[str, ...], meaning: Any) -> None:
        if len(self) >= MOST_KNOWN:
            self.clear()
        self[key] = meaning


class TextParser(Parser):
    """xDSL's parser of a module's text, which reads a type, attribute, expression or location once, wherever the same
    text stands again: in this module, and in all that are read with one `known`, whose contexts must be alike.
    """

    def __init__(self, ctx: Context, text: str, name: str, known: Known | None = None):
        super().__init__(ctx, "", name)
        self._parser_state = ParserState(TextLexer(Input(text, name)))
        self.known = Known() if known is None else known

    def _parse_dialect_type_or_attribute_body(
        self, attr_name: str, is_type: bool, is_opaque: bool, starting_opaque_pos: int | None
    ) -> Any:
        content = self.lexer.input.content
        body = _BODY.match(content, self.pos)
        if body is None or is_opaque:
            return super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)
        key = ("type" if is_type else "attribute", attr_name, body[1])
        if (known := self.known.get(key)) is not None:
            self._resume_from(body.end())
            return known
        read = super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)
        if self.pos == body.end():
            self.known.keep(key, read)
        return read

    def parse_optional_location(self) -> LocationAttr | None:
        if self._current_token.text != "loc":
            return None
        line = _LOCATION.match(self.lexer.input.content, self.pos)
        if line is None:
            return super().parse_optional_location()
        key = ("location", line[1])
        if (known := self.known.get(key)) is not None:
            self._resume_from(line.end())
            return known
        read = super().parse_optional_location()
        if self.pos == line.end():
            self.known.keep(key, read)
        return read


def remembered(parser: AttrParser, read: Callable[[], Any]) -> Any:
    """An index expression, read by `read` unless its text up to the closing bracket is known."""
    if not isinstance(parser, TextParser):
        return read()
    text = _EXPRESSION.match(parser.lexer.input.content, parser.pos)
    if text is None:
        return read()
    key = ("expression", text[1])
    if (known := parser.known.get(key)) is not None:
        parser._resume_from(text.end())
        return known
    found = read()
    if parser.pos == text.end():
        parser.known.keep(key, found)
    return found
