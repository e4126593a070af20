"""Entries of kernels that check their arguments, because the loops index without bounds.

A kernel has two callers. Python calls it through `checked`, which refuses arguments that the loop could not work on; another
kernel calls the loop itself, which costs nothing.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Protocol, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

Bound = dict[str, Any]
"""What the names in declarations stand for in one call: sizes, whole shapes and kinds."""

DECLARED_ARRAY = re.compile(r"(?P<kinds>[\w|]+) \[(?P<shape>[^\]]*)\](?P<words>(, (written|strided))*)")
DECLARED_NUMBER = re.compile(r"(?P<kind>int|float|uint32)( (?P<relation>>=|>) (?P<limit>-?[\d.]+))?")
NUMBERS: dict[str, tuple[type[Any], ...]] = {
    "int": (int, np.integer),
    "float": (float, int, np.floating, np.integer),
    "uint32": (np.uint32,),
}
LARGEST_NUMBER = 2.0**40
"""Numbers beyond this are no positions, sizes or factors of pictures, and would overflow the arithmetic of indices."""


class Declaration(Protocol):
    """What an argument must be."""

    def check(self, name: str, value: Any, bound: Bound) -> None:
        """Raise TypeError or ValueError where `value` is something else; learn the names of its sizes."""


@dataclass(frozen=True)
class ArrayDeclaration:
    """An array of one of some types, with a shape of sizes and names of sizes."""

    text: str
    kinds: tuple[np.dtype[Any], ...]
    kind_name: str
    """Name of a type that is the same wherever the name stands; '' where `kinds` are given."""
    shape: tuple[int | str, ...] | None
    """None for any shape, the same wherever it is written."""
    written: bool
    strided: bool

    @classmethod
    def parse(cls, text: str) -> ArrayDeclaration:
        """Parse 'uint8|uint16 [rows, 3], written'."""
        found = DECLARED_ARRAY.fullmatch(text)
        assert found, f"'{text}' declares no array"
        names, words = found["kinds"].split("|"), found["words"]
        named = names == ["Kind"]
        sizes = tuple(int(size) if size.isdigit() else size for size in filter(None, re.split(", *", found["shape"])))
        return cls(
            text, () if named else tuple(map(np.dtype, names)), names[0] if named else "", None if sizes == ("...",) else sizes,
            "written" in words, "strided" in words,
        )  # fmt: skip

    def check(self, name: str, value: Any, bound: Bound) -> None:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"'{name}' must be {self.text} (got {type(value).__name__}).")
        fits = value.dtype in self.kinds if self.kinds else value.dtype == bound.setdefault(self.kind_name, value.dtype)
        if not (fits and self._fits(value.shape, bound)):
            raise ValueError(f"'{name}' must be {self.text} (got {value.dtype} {list(value.shape)}{_known(bound)}).")
        flags = value.flags
        if not (self.strided or flags.c_contiguous):
            raise ValueError(f"'{name}' must be C-contiguous (its strides are {value.strides}).")
        if self.written and not flags.writeable:
            raise ValueError(f"'{name}' must be writable.")

    def _fits(self, shape: tuple[int, ...], bound: Bound) -> bool:
        if self.shape is None:
            return shape == cast("tuple[int, ...]", bound.setdefault("...", shape))
        if len(shape) != len(self.shape):
            return False
        for size, declared in zip(shape, self.shape, strict=True):
            if declared == "*":
                continue
            if size != (declared if isinstance(declared, int) else bound.setdefault(declared, size)):
                return False
        return True


@dataclass(frozen=True)
class NumberDeclaration:
    """A finite number, perhaps with a lower limit."""

    text: str
    kinds: tuple[type[Any], ...]
    lowest: float
    open: bool
    """The limit itself is refused, too."""

    @classmethod
    def parse(cls, text: str) -> NumberDeclaration:
        """Parse 'int >= 1', 'float > 0' or 'float'."""
        found = DECLARED_NUMBER.fullmatch(text)
        assert found, f"'{text}' declares no number"
        lowest = float(found["limit"]) if found["limit"] else -math.inf
        return cls(text, NUMBERS[found["kind"]], lowest, found["relation"] == ">")

    def check(self, name: str, value: Any, bound: Bound) -> None:
        if not isinstance(value, self.kinds):
            raise TypeError(f"'{name}' must be {self.text} (got {type(value).__name__}).")
        # comparisons with NaN are false
        if not (abs(value) <= LARGEST_NUMBER and (value > self.lowest or (value == self.lowest and not self.open))):
            raise ValueError(f"'{name}' must be {self.text} (got {value}).")


@dataclass(frozen=True)
class TupleDeclaration:
    """A tuple with a declaration of each item."""

    items: tuple[Declaration, ...]

    def check(self, name: str, value: Any, bound: Bound) -> None:
        if not isinstance(value, tuple) or len(value) != len(self.items):
            raise TypeError(f"'{name}' must be a tuple of {len(self.items)} (got {type(value).__name__}).")
        for number, (item, declaration) in enumerate(zip(value, self.items, strict=True)):
            declaration.check(f"{name}[{number}]", item, bound)


def _known(bound: Bound) -> str:
    sizes = [f"{name} = {size}" for name, size in bound.items()]
    return f", where {', '.join(sizes)}" if sizes else ""


def _parse(declared: str | tuple[str, ...]) -> Declaration:
    if isinstance(declared, tuple):
        return TupleDeclaration(tuple(map(_parse, declared)))
    return ArrayDeclaration.parse(declared) if "[" in declared else NumberDeclaration.parse(declared)


def _described(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """All that the check of arrays depends on: their types, shapes, strides and whether they are writable; None of all else."""
    return tuple(
        (one.dtype, one.shape, one.strides, one.flags.writeable)
        if type(one) is np.ndarray
        else _described(one)
        if type(one) is tuple
        else None
        for one in arguments
    )


def _is_whole(described: Any) -> bool:
    """Whether nothing is missing in a description."""
    return described is not None and all(one is not None for one in described)


KNOWN_CALLS = 256
"""Combinations of types and shapes that a kernel has seen and need not check again."""


class CheckedKernel:
    """A compiled loop whose arguments are checked where Python calls it, and not where another kernel does.

    The types and shapes of arrays are checked once for each combination, numbers and what indices are computed from in each call.
    """

    def __init__(self, loop: Any, declarations: dict[str, Declaration], requires: Callable[..., None] | None) -> None:
        self.loop = loop
        """The loop alone, as Numba compiles it."""
        self.declarations = declarations
        """What each argument must be, in order."""
        self._requires = requires
        self._numbers = [
            (n, name, one) for n, (name, one) in enumerate(declarations.items()) if isinstance(one, NumberDeclaration)
        ]
        self._accepted: set[tuple[Any, ...]] = set()
        update_wrapper(self, getattr(loop, "py_func", loop))
        self._signature = inspect.signature(self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if named or len(arguments) != len(self.declarations):
            arguments = self._signature.bind(*arguments, **named).args
        try:
            described = _described(arguments)
            if described in self._accepted:
                for n, name, number in self._numbers:
                    number.check(name, arguments[n], {})
            else:
                self._check(arguments)
                self._accept(described)
            if self._requires is not None:
                self._requires(*arguments)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.__name__}: {error}") from None  # type: ignore[attr-defined]  # set by update_wrapper
        return self.loop(*arguments)

    def _check(self, arguments: tuple[Any, ...]) -> None:
        bound: Bound = {}
        for (name, declaration), argument in zip(self.declarations.items(), arguments, strict=True):
            declaration.check(name, argument, bound)

    def _accept(self, described: tuple[Any, ...]) -> None:
        """Note arrays that have passed the check; not those of classes of their own, of which nothing was described."""
        arrays = [n for n, declared in enumerate(self.declarations.values()) if not isinstance(declared, NumberDeclaration)]
        if all(_is_whole(described[n]) for n in arrays):
            if len(self._accepted) >= KNOWN_CALLS:
                self._accepted.clear()
            self._accepted.add(described)

    @property
    def _numba_type_(self) -> Any:
        """What Numba sees where a kernel calls this one: the loop."""
        return self.loop._numba_type_


def checked(requires: Callable[..., None] | None = None, /, **declared: str | tuple[str, ...]) -> Callable[[Function], Function]:
    """Give a kernel an entry that checks what Python passes.

    Args:
        requires: Checks the values that indices are computed from, with all arguments of the kernel; raises ValueError.
        declared: What each argument must be. An array is ``'uint8|uint16 [rows, 3]'``: its types and its shape, in which equal
            names are equal sizes in all arguments, ``*`` is any size, and ``...`` the same shape wherever it stands; ``Kind`` is
            one type wherever it stands. Arrays are C-contiguous unless ``strided`` follows, and writable where ``written``
            does. A number is ``'int'`` or ``'float'``, perhaps with a limit: ``'int >= 1'``. A tuple has a declaration for each
            item.

    Returns:
        A decorator for functions made by `kernel`. The entry raises TypeError or ValueError with the name of the argument.
    """

    def decorate(loop: Function) -> Function:
        parameters = list(inspect.signature(getattr(loop, "py_func", loop)).parameters)
        assert list(declared) == parameters, f"declared are {list(declared)}, the parameters are {parameters}"
        return cast(Function, CheckedKernel(loop, {name: _parse(text) for name, text in declared.items()}, requires))

    return decorate
