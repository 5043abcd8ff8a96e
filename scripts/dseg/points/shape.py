# SPDX-License-Identifier: GPL-2.0-or-later
"""What a value that was read from a JSON file has to be, and where in it something else is.

    mistake(value, {'walks': [{'count': COUNT}]})   # walks[3].count: must be a whole number ...

A dict stands for a table with these keys, and others; a list for a list of what is in it.
"""

import json
from dataclasses import dataclass
from typing import Any, Callable


@dataclass(frozen=True)
class Plain:
    """What has no parts."""
    about: str
    is_right: Callable[[Any], bool]


@dataclass(frozen=True)
class Null:
    """That, or null."""
    shape: Any


class Maybe(Null):
    """That, or null, or not there."""


@dataclass(frozen=True)
class Each:
    """A table whose keys may be any."""
    shape: Any


def whole(low, high=None):
    """A whole number in that range."""
    return Plain(f'a whole number from {low} {"on" if high is None else f"to {high}"}',
                 lambda value: type(value) is int and low <= value
                 and (high is None or value <= high))


def word(*words):
    """One of these texts."""
    return Plain(f'one of {", ".join(words)}',
                 lambda value: isinstance(value, str) and value in words)


ANY = Plain('anything', lambda value: True)
TEXT = Plain('a text', lambda value: isinstance(value, str))
COUNT = whole(0)
NUMBER = Plain('a number', lambda value: type(value) in (int, float)
               and abs(value) < float('inf'))      # and no nan


def mistake(value, shape, path=''):
    """The first of them: the path of a key, and the rule; None if there is none."""
    if isinstance(shape, Null):
        return None if value is None else mistake(value, shape.shape, path)
    if isinstance(shape, Plain):
        return None if shape.is_right(value) else _must_be(shape.about, value, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _must_be('a list', value, path)
        return _first(mistake(part, shape[0], f'{path}[{number}]')
                      for number, part in enumerate(value))
    if not isinstance(value, dict):
        return _must_be('a table', value, path)
    if isinstance(shape, Each):
        return _first(mistake(part, shape.shape, _key(path, key)) for key, part in value.items())
    return _first(_in_key(value, key, part, path) for key, part in shape.items())


def _in_key(table, key, shape, path):
    if key in table:
        return mistake(table[key], shape, _key(path, key))
    return None if isinstance(shape, Maybe) else f'{_key(path, key)}: this key is missing'


def _key(path, key):
    return f'{path}.{key}' if path else key


def _first(found):
    return next((each for each in found if each), None)


def _must_be(about, value, path):
    shown = json.dumps(value, ensure_ascii=False)
    return f'{path}: must be {about}, not {shown if len(shown) < 40 else f"{shown[:36]} ..."}'
