# SPDX-License-Identifier: GPL-2.0-or-later
"""On which line of a TOML file each key is, which tomllib does not say.

The text must be right, as tomllib has found it. A path names a key: ('zip', 0, 'escapes') is
escapes in the first [[zip]], ('product', 'workload', 2) the third value of that list.
"""

import re
import tomllib

TOKEN = re.compile(r'''
    (?P<string> """ (?:\\.|[^\\])*? """ "{0,2}
              | \'\'\' .*? \'\'\' '{0,2}
              | " (?:\\.|[^"\\\n])* "
              | ' [^'\n]* ')
    | (?P<comment> \#[^\n]*)
    | (?P<mark> \n | [][{}=,.])
    | (?P<word> [^][{}=,.\#"'\s]+)''', re.X | re.S)


def lines_of(text):
    """The line of each path."""
    return _Scanner(text).lines


class _Scanner:
    def __init__(self, text):
        self.lines = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        self._last = {}         # index of the last table of each array of tables
        table = ()
        while self._skip_newlines():
            if self._text() == '[':
                table = self._header()
            else:
                self._pair(table)

    def _text(self):
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _line(self):
        return self._tokens[self._at][2]

    def _take(self):
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip_newlines(self):
        """Whether anything is left."""
        while self._text() == '\n':
            self._at += 1
        return self._text() is not None

    def _key(self):
        """The parts of a key with dots."""
        parts = []
        while self._text() not in ('=', ']'):
            kind, text, _ = self._take()
            if text != '.':
                parts.append(tomllib.loads(f'key = {text}')['key'] if kind == 'string' else text)
        return parts

    def _header(self):
        """The path of the table that begins."""
        line, brackets = self._line(), 0
        while self._text() == '[':
            self._at += 1
            brackets += 1
        parts = self._key()
        self._at += brackets
        path = ()
        for number, part in enumerate(parts, 1):
            path += (part,)
            if number == len(parts) and brackets == 2:
                self._last[path] = self._last.get(path, -1) + 1
            self.lines.setdefault(path, line)
            if path in self._last:
                path += (self._last[path],)
        self.lines.setdefault(path, line)
        return path

    def _pair(self, path):
        line = self._line()
        for part in self._key():
            path += (part,)
            self.lines.setdefault(path, line)
        self._at += 1               # the =
        self._value(path)

    def _value(self, path):
        bracket = self._text()
        if bracket == '{':
            self._inside('}', lambda number: self._pair(path))
        elif bracket == '[':
            self._inside(']', lambda number: self._element(path + (number,)))
        else:
            while self._text() not in ('\n', ',', ']', '}', None):
                self._at += 1

    def _element(self, path):
        self.lines[path] = self._line()
        self._value(path)

    def _inside(self, end, part):
        """The parts between brackets."""
        self._at += 1
        number = 0
        while self._skip_newlines() and self._text() != end:
            if self._text() == ',':
                self._at += 1
                continue
            part(number)
            number += 1
        self._at += 1


def _tokens(text):
    """Kind, text and line of each; comments and blanks are left out."""
    for found in TOKEN.finditer(text):
        if found.lastgroup != 'comment':
            yield found.lastgroup, found[0], text.count('\n', 0, found.start()) + 1
