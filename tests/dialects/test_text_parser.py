"""Our lexer gives xDSL's tokens, on every text there is here and on what is malformed; types that are read once are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Input
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRTokenKind

from helion_ir.dialects.context import module_text, new_context
from helion_ir.dialects.text_parser import TextLexer, TextParser

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.mlir"))

PIECES = [
    "a.b$c_1 _ é é1 aé", "0 12 007 1.5 1. 2.e5 1.5e-3 0x1F 0xi32 10x20xf32 0x 1e5 ١", "-> - -1 --> >- <->", "{ {- {-# #-} #- } #-x",
    "%0 %a-b %a.b$ %", "@a.b @\"a b\" @_ @1", "!t.x !1 ! ^bb0 ^1 #a.b #1 #", '"" "a" "a\\n" "\\22" "\\E9" "é"', '"open', '"a\nb"',
    "... .. .", "?|*/+=,:()[]<>", "a // b\n c//", "//", " \t\r\n\f a\x0b", "\x00", "&", "a\u2003b",
]  # fmt: skip


def tokens(lexer: type[MLIRLexer], text: str) -> list[Any]:
    """Kind, place and text of each token, the class of its place, and the error that ends them."""
    found: list[Any] = []
    try:
        reader = lexer(Input(text, "text"))
        while not found or found[-1][0] is not MLIRTokenKind.EOF:
            token = reader.lex()
            found.append((token.kind, token.span.start, token.span.end, type(token.span), token.text))
    except ParseError as error:
        found.append((error.span.start, error.span.end, error.msg))
    return found


@pytest.mark.parametrize("text", [*PIECES, *(a + b for a in PIECES for b in ("a", "1", '"', ">", "é", "."))])
def test_tokens(text: str) -> None:
    assert tokens(TextLexer, text) == tokens(MLIRLexer, text)


def test_tokens_of_files() -> None:
    assert len(FILES) > 50
    for path in FILES:
        text = path.read_text()
        # Cut anywhere, too: within a string, a number, an arrow.
        for end in (len(text), *range(1, min(len(text), 4000), 997)):
            assert tokens(TextLexer, text[:end]) == tokens(MLIRLexer, text[:end]), path.name


@pytest.mark.parametrize("path", [p for p in FILES if p.parent == TESTS / "passes"], ids=lambda p: p.stem)
def test_modules(path: Path) -> None:
    text = path.read_text()
    parsed = [parser(new_context(), text, path.name).parse_module() for parser in (Parser, TextParser)]
    assert module_text(parsed[1]) == module_text(parsed[0])


MODULE = """builtin.module attributes {{
  a = #index.expr<@n * 2>, b = #index.expr<@n * 2 >, c = !tile.tile<[@n], {one}>, d = [!tile.tile<[@n], {one}>, 1],
  e = !tile.tile<[@n], {two}> // of !tile.tile<[@n], f32>
  , f = #index.expr<where(@n lt 3, 1, 2)>}} {{ }}
"""


def test_the_same_text_is_the_same_type() -> None:
    text = MODULE.format(one="f32", two="bf16")
    ours, theirs = (parser(new_context(), text, "text").parse_module() for parser in (TextParser, Parser))
    assert ours.attributes == theirs.attributes and len(ours.attributes) == 6
    assert ours.attributes["a"] == ours.attributes["b"]
    assert ours.attributes["c"] is ours.attributes["d"].data[0] != ours.attributes["e"]  # pyright: ignore


def test_what_is_wrong_with_a_type_is_told_each_time() -> None:
    for parser in (TextParser, Parser):
        with pytest.raises(ParseError) as caught:
            parser(new_context(), MODULE.format(one="f32", two="f33"), "text").parse_module()
        assert caught.value.msg == "type expected" and caught.value.span.text == "f33"
