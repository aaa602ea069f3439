"""xDSL's parser on tokens that one regular expression finds, and types that are read once."""

from __future__ import annotations

import re
from typing import Any

from xdsl.context import Context
from xdsl.ir import Attribute
from xdsl.parser import Parser
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
# What stands in angle brackets and can be found again by its text: no strings, arrows or comments. Spaces come after.
_INNER = r"(?:[^<>\"/-]|-(?!>))"
_BODY = re.compile(rf"(<(?:{_INNER}|<{_INNER}*+>)*+>)\s*+", re.ASCII)

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


class TextParser(Parser):
    """xDSL's parser of a module's text, which reads a type or attribute once, wherever the same text stands again."""

    def __init__(self, ctx: Context, text: str, name: str):
        super().__init__(ctx, "", name)
        self._parser_state = ParserState(TextLexer(Input(text, name)))
        self._read: dict[tuple[str, bool, str], Attribute] = {}

    def _parse_dialect_type_or_attribute_body(
        self, attr_name: str, is_type: bool, is_opaque: bool, starting_opaque_pos: int | None
    ) -> Any:
        content = self.lexer.input.content
        body = _BODY.match(content, self.pos)
        if body is None or is_opaque:
            return super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)
        key = (attr_name, is_type, body[1])
        if (known := self._read.get(key)) is not None:
            self._resume_from(body.end())
            return known
        read = super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)
        if self.pos == body.end():
            self._read[key] = read
        return read
