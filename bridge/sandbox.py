"""Conditions and placeholders: the little of Jinja that operators may use.

A condition (`when`) compares fields; a placeholder in a text is a field with
filters. Both are read into Jinja's syntax tree and held against a short list
before anything is compiled: no calls, no loops, no subscripts, no power. They run
in an immutable sandbox without globals or loader, and a name that is not there
is an error, never a blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.billing.money import Amount
from bridge.errors import TextError
from bridge.filters import CONDITION_FILTERS, TEXT_ARGUMENTS, bound

#: Longest source and longest result, in characters.
SOURCE_LIMIT = 4096
OUTPUT_LIMIT = 4096
#: Deepest nesting of a condition.
DEPTH_LIMIT = 40

_TESTS = ("defined", "undefined", "none", "true", "false", "in", "string", "number")
_MONEY_PARTS = ("amount", "currency")
_LITERALS = (str, int, float, bool, type(None))

#: What evaluation may raise because of what was written or what the data is.
FAILURES = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    OverflowError,
    MemoryError,
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without globals; arithmetic is for numbers, money compares like one."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, language: str) -> None:
        super().__init__(
            undefined=StrictUndefined, optimized=False, keep_trailing_newline=True
        )
        self.globals = {}
        self.filters = bound(language)
        self.tests = {name: self.tests[name] for name in _TESTS}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Work out numbers; refuse texts, lists and powers."""
        left, right = _number(left, operator), _number(right, operator)
        if operator == "**":
            raise ValueError('"**" is not used here')
        if not isinstance(left, Decimal) and not isinstance(right, Decimal):
            return self.binop_table[operator](left, right)
        currency = getattr(left, "currency", "") or getattr(right, "currency", "")
        left, right = Decimal(str(left)), Decimal(str(right))
        return Amount(self.binop_table[operator](left, right), currency)


def _number(value: Any, operator: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f'"{operator}" is for numbers only')
    return value


@cache
def environment(language: str) -> Sandbox:
    """Return the sandbox whose filters speak *language*."""
    return Sandbox(language)


class MistakeError(TextError):
    """A condition or placeholder that may not be written so; *mistakes* is all."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


def meant(word: str, words: Any) -> str:
    """Return ` (did you mean "..."?)` with the nearest of *words*, or nothing."""
    near = get_close_matches(str(word), sorted(map(str, words)), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def tree_of(source: str) -> nodes.Node:
    """Parse an expression, or raise MistakeError in an operator's words."""
    if len(source) > SOURCE_LIMIT:
        raise MistakeError([f"longer than {SOURCE_LIMIT} characters"])
    try:
        parser = Parser(environment("es"), source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            found = cut(str(parser.stream.current.value))
            raise MistakeError([f'"{found}" was not expected here{_hint(found)}'])
    except TemplateSyntaxError as error:
        raise MistakeError([_words(error)]) from error
    except (RecursionError, MemoryError) as error:
        raise MistakeError(["nested too deeply"]) from error
    except (ValueError, OverflowError) as error:
        raise MistakeError(["a number that cannot be read"]) from error
    return tree


#: What people write in a condition by habit, and what it takes.
_INSTEAD = {
    "=": 'to compare write "=="',
    **dict.fromkeys(("y", "e", "&"), 'write "and"'),
    **dict.fromkeys(("o", "u", "ou"), 'write "or"'),
    "!": 'write "not"',
    **dict.fromkeys("“”‘’´`«»", "write plain quotes ('...')"),
}
_ODD = re.compile(r"unexpected char '(.)'")


def _words(error: TemplateSyntaxError) -> str:
    message = cut(" ".join((error.message or "").split()))
    if "end of template" in message or "got 'end of" in message:
        return "it stops in the middle"
    odd = _ODD.match(message)
    return f"cannot be read: {message}{_hint(odd[1]) if odd else ''}"


def _hint(word: str) -> str:
    told = _INSTEAD.get(word.casefold())
    return f": {told}" if told else ""


def cut(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def path_of(node: nodes.Node) -> list[str] | None:
    """Return ["invoice", "total"] of `invoice.total`, None of anything else."""
    words: list[str] = []
    while isinstance(node, nodes.Getattr):
        words.insert(0, node.attr)
        node = node.node
    return [node.name, *words] if isinstance(node, nodes.Name) else None


_WHEN_NODES = (
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Filter,
    nodes.Test,
    nodes.Neg,
    nodes.Pos,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
)
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: 'calls are not used here; write for example "text" in event.reason',
    nodes.Pow: '"**" is not used here',
    nodes.Getitem: "brackets after a name are not used here: write variable.field",
    nodes.CondExpr: '"if ... else" is not used here: write two rules',
    nodes.Concat: '"~" is not used here',
    nodes.Dict: "braces are not used here",
}


@dataclass(frozen=True)
class Expression:
    """A condition of the map; *names* are its (variable, field) pairs.

    The field is None where a variable stands alone.
    """

    source: str
    names: frozenset[tuple[str, str | None]]

    @cached_property
    def _run(self) -> Any:
        return environment("es").compile_expression(
            self.source, undefined_to_none=False
        )

    def holds(self, variables: Mapping[str, Any]) -> bool:
        """Tell whether the condition is true; raises TextError.

        What looking up a fact raises (a panel that is away) passes through.
        """
        try:
            return bool(
                self._run(**visible(variables, {root for root, _ in self.names}))
            )
        except FAILURES as error:
            why = cut(" ".join(str(error).split())) or type(error).__name__
            raise TextError(f"when: {cut(self.source)}: {why}") from error


def visible(variables: Mapping[str, Any], roots: Iterable[str]) -> dict[str, Any]:
    """Return the variables that are used; a mapping's keys become its fields."""
    found: dict[str, Any] = {}
    for root in roots:
        if root in variables:
            value = variables[root]
            plain = isinstance(value, Mapping)
            found[root] = SimpleNamespace(**value) if plain else value
    return found


@lru_cache(maxsize=512)
def compile_when(source: str) -> Expression:
    """Read a condition; raises TextError that holds every mistake in it."""
    tree = tree_of(source)
    names: set[tuple[str, str | None]] = set()
    mistakes = list(dict.fromkeys(_when_mistakes(tree, names, 0)))
    if not mistakes:
        expression = Expression(source, frozenset(names))
        try:
            _ = expression._run
        except (SyntaxError, *FAILURES) as error:
            raise MistakeError(["cannot be read"]) from error
        return expression
    raise MistakeError(mistakes)


def _when_mistakes(
    node: nodes.Node, names: set[tuple[str, str | None]], depth: int
) -> Iterator[str]:
    if depth > DEPTH_LIMIT:
        yield "nested too deeply"
        return
    path = path_of(node)
    if path is not None:
        names.add((path[0], path[1] if len(path) > 1 else None))
        if len(path) > 3 or (len(path) == 3 and path[2] not in _MONEY_PARTS):
            yield f'"{".".join(path)}" goes too deep: write variable.field'
        return
    if not isinstance(node, _WHEN_NODES):
        kind = type(node)
        yield _REFUSED.get(kind, f"{kind.__name__.lower()} is not used here")
        return
    yield from _literal_mistakes(node)
    if isinstance(node, nodes.Filter):
        yield from filter_mistakes(node, CONDITION_FILTERS)
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        yield f'no test "{node.name}"{meant(node.name, _TESTS)}'
    for child in node.iter_child_nodes():
        yield from _when_mistakes(child, names, depth + 1)


def _literal_mistakes(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Const) and not isinstance(node.value, _LITERALS):
        yield "only texts, numbers, true, false and none may stand here"
    operands = (nodes.Mul, nodes.Mod, nodes.Add)
    if isinstance(node, operands) and any(map(_is_text, (node.left, node.right))):
        yield f'"{node.operator}" is for numbers only'


def _is_text(node: nodes.Node) -> bool:
    if isinstance(node, nodes.List | nodes.Tuple):
        return True
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def filter_mistakes(node: nodes.Filter, known: frozenset[str]) -> Iterator[str]:
    if node.name not in known:
        yield f'no filter "{node.name}"{meant(node.name, known)}'
        return
    least, most = TEXT_ARGUMENTS.get(node.name, (0, 0))
    if node.kwargs or node.dyn_args or node.dyn_kwargs:
        yield f'"{node.name}": give its values without names'
    if not all(isinstance(argument, nodes.Const) for argument in node.args):
        yield f'"{node.name}" takes plain texts or numbers only'
    if not least <= len(node.args) <= most:
        yield f'"{node.name}" takes {_count(least, most)}'


def _count(least: int, most: int) -> str:
    if most == 0:
        return "no values"
    return "one value" if least == most == 1 else f"{least} to {most} values"
