"""The filter language of subscriptions (https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax).

    attributes:key    attributes.key = "v"    attributes.key != "v"    hasPrefix(attributes.key, "v")
    NOT x    x AND y    x OR y    (x)

AND and OR do not mix without parentheses; operators are upper case; ``-`` may stand for NOT.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.pubsub.refusal import invalid

Matches = Callable[[Mapping[str, str]], bool]

_MAX_BYTES = 256

_TOKENS = re.compile(
    r"""\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_\-]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<sign>!=|[().,:=\-]))""", re.DOTALL
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{3}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Matches:
    """Compile a filter.

    Raises:
        RefusedError: the filter is longer than 256 bytes or not in the language.
    """
    if len(text.encode()) > _MAX_BYTES:
        raise invalid(f"The filter is longer than {_MAX_BYTES} bytes.")
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenize()
        self._next = 0

    def parse(self) -> Matches:
        matches = self._expression()
        self._expect("end", "")
        return matches

    def _tokenize(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        end = len(self._text.rstrip())
        while at < end:
            found = _TOKENS.match(self._text, at)
            if found is None or found.lastgroup is None:
                raise self._wrong(at)
            tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
            at = found.end()
        return [*tokens, _Token("end", "", end)]

    def _expression(self) -> Matches:
        terms = [self._term()]
        operator = self._peek().text
        if self._peek().kind != "word" or operator not in {"AND", "OR"}:
            return terms[0]
        while self._accept("word", operator):
            terms.append(self._term())
        if self._peek().kind == "word":
            raise self._wrong(self._peek().at)  # AND beside OR needs parentheses
        joined = all if operator == "AND" else any
        return lambda attributes: joined(term(attributes) for term in terms)

    def _term(self) -> Matches:
        if self._accept("word", "NOT") or self._accept("sign", "-"):
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._accept("sign", "("):
            inner = self._expression()
            self._expect("sign", ")")
            return inner
        if self._accept("word", "hasPrefix"):
            self._expect("sign", "(")
            key = self._attribute()
            self._expect("sign", ",")
            prefix = self._string()
            self._expect("sign", ")")
            return lambda attributes: attributes[key].startswith(prefix) if key in attributes else False
        return self._comparison()

    def _comparison(self) -> Matches:
        self._expect("word", "attributes")
        if self._accept("sign", ":"):
            present = self._key()
            return lambda attributes: present in attributes
        self._expect("sign", ".")
        key = self._key()
        if self._accept("sign", "="):
            wanted = self._string()
            return lambda attributes: key in attributes and attributes[key] == wanted
        self._expect("sign", "!=")
        unwanted = self._string()
        # Documented: a message without the attribute also differs from the value.
        return lambda attributes: key not in attributes or attributes[key] != unwanted

    def _attribute(self) -> str:
        self._expect("word", "attributes")
        self._expect("sign", ".")
        return self._key()

    def _key(self) -> str:
        token = self._peek()
        if token.kind == "string":
            return self._string()
        self._next += 1
        if token.kind != "word":
            raise self._wrong(token.at)
        return token.text

    def _string(self) -> str:
        token = self._peek()
        if token.kind != "string":
            raise self._wrong(token.at)
        self._next += 1
        return _ESCAPE.sub(_unescaped, token.text[1:-1])

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, kind: str, text: str) -> bool:
        if self._peek().kind == kind and self._peek().text == text:
            self._next += 1
            return True
        return False

    def _expect(self, kind: str, text: str) -> None:
        if not self._accept(kind, text):
            raise self._wrong(self._peek().at)

    def _wrong(self, at: int) -> Exception:
        return invalid(f"The filter is not valid at character {at + 1}: {self._text!r}.")


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in "uUx" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    if len(escape) == 3:
        return chr(int(escape, 8))
    return _PLAIN_ESCAPES.get(escape, escape)
