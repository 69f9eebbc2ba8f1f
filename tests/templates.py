"""What the source says: every text that code puts together, as templates. A template is its constant pieces; between two stands a value."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, product
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "cardwise"
TELLERS = {**dict.fromkeys(("CardwiseError", "BadInput", "BadFile", "MissingFact", "NotSupported"), (0,)), "CannotRun": (0, 1),
           "Refusal": (4, 5), "Refused": (0, 1), "UnknownName": (0, 3), "AmbiguousName": (0,), "bad": (0,), "refuse": (2,),
           "__init__": (0,)}  # fmt: skip
"""Calls that tell a person something, with the places of the arguments that are texts."""

Template = tuple[str, ...]
Names = Mapping[str, list[ast.expr]]
MOST = 64


def joined(parts: Iterable[Template]) -> Template:
    """Templates one after the other: the last piece of one and the first of the next become one."""
    whole: Template = ("",)
    for part in parts:
        whole = (*whole[:-1], whole[-1] + part[0], *part[1:])
    return whole


def templates(node: ast.expr, names: Names) -> list[Template]:
    """Every template that an expression can be; a value that is no text of its own is a gap."""
    match node:
        case ast.Constant(value=str(text)):
            return [(text,)]
        case ast.JoinedStr(values=values):
            choices = [templates(value, names) for value in values]
            return [joined(parts) for parts in islice(product(*choices), MOST)]
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None) if _is_text(value, names):
            return templates(value, names)
        case ast.IfExp(body=body, orelse=other):
            return templates(body, names) + templates(other, names)
        case ast.BoolOp(values=values):
            return [found for value in values for found in templates(value, names)]
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return [joined(parts) for parts in islice(product(templates(left, names), templates(right, names)), MOST)]
        case ast.Call(func=ast.Attribute(value=value, attr="rstrip"), args=[]):
            return templates(value, names)
        case ast.Name(id=name) if name in names:
            return [found for value in names[name] for found in templates(value, {key: names[key] for key in names if key != name})]
    return [("", "")]


def _is_text(node: ast.expr, names: Names) -> bool:
    """Whether a value inside a text is itself words of the source: `{'s' if many else ''}`, or a name that such words were given."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return _is_words(body) or _is_words(other)
        case ast.BoolOp(values=values):
            return any(map(_is_words, values))
        case ast.BinOp(op=ast.Add()):
            return _is_words(node)
        case ast.Name(id=name) if name in names:
            return any(_is_text(value, {}) or isinstance(value, ast.JoinedStr) for value in names[name])
    return False


def _is_words(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_words(node.left) or _is_words(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Texts given to names in a scope."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(target.elts) == len(node.value.elts):
                    pairs += zip(target.elts, node.value.elts, strict=True)
                else:
                    pairs.append((target, node.value))
        for target, value in pairs:
            if isinstance(target, ast.Name) and isinstance(value, ast.JoinedStr | ast.Constant | ast.IfExp | ast.BoolOp | ast.BinOp):
                found.setdefault(target.id, []).append(value)
    return found


@lru_cache(maxsize=1)
def trees() -> Mapping[str, ast.Module]:
    """Every module by its path in the package."""
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def told() -> Iterator[tuple[str, Template]]:
    """`place`, template of everything that the source tells a person as an error or a refusal."""
    for path, tree in trees().items():
        constants = assigned_here(tree.body)
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _told_in(path, scope, {**constants, **assigned(scope)})


def assigned_here(body: list[ast.stmt]) -> dict[str, list[ast.expr]]:
    return assigned(ast.Module([one for one in body if isinstance(one, ast.Assign)], []))


def _told_in(path: str, scope: ast.AST, names: Names) -> Iterator[tuple[str, Template]]:
    for node in ast.walk(scope):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        for place in TELLERS.get(name, ()):
            if place < len(node.args):
                yield from ((f"{path}:{node.lineno}", found) for found in templates(node.args[place], names))


def said() -> set[Template]:
    """Every text of the source, told or not, and of the shipped facts."""
    found = {
        (text,)
        for path in sorted((PACKAGE / "catalogue" / "data").rglob("*.toml"))
        for text in _texts(tomllib.loads(path.read_text("utf-8")))
    }
    for tree in trees().values():
        scopes: list[tuple[ast.AST, Names]] = [(tree, {})]
        scopes += [(scope, assigned(scope)) for scope in ast.walk(tree) if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)]
        for scope, names in scopes:
            for node in ast.walk(scope):
                if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp | ast.IfExp):
                    found.update(templates(node, names))
    return found


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def filled(template: Template) -> tuple[str, tuple[str, ...]]:
    """The text of a template with numbers in its gaps, and these numbers."""
    values = tuple(str(101 + i) for i in range(len(template) - 1))
    return "".join(piece + value for piece, value in zip(template, (*values, ""), strict=True)), values
