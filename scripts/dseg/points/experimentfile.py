# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads an experiment file, and what it extends, into one set of tables.

An axis that a file gives takes the place of that axis in what it extends, in whichever of [fixed]
and [product] that was. Other tables are merged key by key, and lists replaced.
"""

from .. import Failure
from .problems import Tables, parse

KEYS = ('title', 'extends', 'fixed', 'product', 'zip', 'exclude', 'claim', 'figure')
AXES_IN = ('fixed', 'product')
REPEATS = 'repeats'             # under [fixed]: stands for the axis repeat


def read(file):
    """The Tables of a file, with all that it extends."""
    return _read(file, ())


def _read(file, above):
    own = parse(file)
    here = own.file.resolve()
    base = own.data.pop('extends', None)
    if base is None:
        return own
    place = own.place('extends')
    if not isinstance(base, str) or not base:
        raise Failure(f'{place}: extends: must be the name of a file, relative to this one')
    if (here.parent / base).resolve() in (here, *above):
        raise Failure(f'{place}: extends: {base} extends this file, too: leave one of these out')
    if not (own.file.parent / base).is_file():
        raise Failure(f'{place}: extends: there is no file {own.file.parent / base}')
    return _merged(_read(own.file.parent / base, (here, *above)), own)


def _merged(base, own):
    """The Tables of both; own are those that count."""
    places = dict(base.places)
    data = {name: dict(value) if isinstance(value, dict) else value
            for name, value in base.data.items()}
    for axis in _axes_of(own.data):
        for name in AXES_IN:
            if isinstance(data.get(name), dict) and data[name].pop(axis, None) is not None:
                _forget(places, (name, axis))
    _put(data, places, own.data, own.places, ())
    return Tables(own.file, data, places)


def _put(data, places, new, new_places, path):
    """Put all of new into data."""
    for key, value in new.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            places[here] = new_places.get(here, places.get(here))
            _put(data[key], places, value, new_places, here)
            continue
        _forget(places, here)
        data[key] = value
        places.update({each: place for each, place in new_places.items()
                       if each[:len(here)] == here})


def _forget(places, path):
    for each in [each for each in places if each[:len(path)] == path]:
        del places[each]


def _axes_of(data):
    """The axes that a file gives, wherever."""
    tables = [data.get(name) for name in AXES_IN]
    if isinstance(data.get('zip'), list):
        tables += data['zip']
    return {axis for table in tables if isinstance(table, dict) for axis in table}
