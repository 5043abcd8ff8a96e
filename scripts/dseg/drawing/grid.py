# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws a translation as the grid of its two dimensions.

One column for each level of the guest's page tables, and one for the final
address; in each, from top to bottom, the nested walk for that gPA, and then the
guest's entry. The references are numbered in their order. The input is the
reply to x86-dseg-translate; target-i386-ext/x86-dseg.json describes it.
"""

from dataclasses import dataclass

from .plotting import CHECKS, GUEST, NESTED, TEXT, matplotlib, patches, pyplot

SEGMENT, ESCAPE, FAINT, FAULT = CHECKS, '#d55e00', '#c8c8c8', '#cc0000'

# In points, as everything below.
LEFT, TOP = 176, 92         # of the first column; of its heading
COLUMN, ROW = 158, 54
HEADING, GAP = 66, 14       # height of a heading; between cells
FOOTER = 62
MARGIN = 16


def page_name(size):
    """4 KiB, 2 MiB, ..."""
    for unit, name in ((30, 'GiB'), (20, 'MiB'), (10, 'KiB')):
        if size >> unit:
            return f'{size >> unit} {name}'
    return f'{size} bytes'


class Picture:
    """What is drawn on: points from the upper left corner of one grid."""

    def __init__(self, axes, x=0, y=0):
        self._axes = axes
        self._x, self._y = x, y

    def text(self, x, y, text, size=8, colour=TEXT, align='center', **style):
        self._axes.text(self._x + x, self._y + y, text, fontsize=size, color=colour,
                        ha=align, va='center', **style)

    def box(self, x, y, width, height, colour, fill='white', dashed=False):
        self._axes.add_patch(patches.FancyBboxPatch(
            (self._x + x, self._y + y), width, height,
            boxstyle='round,pad=0,rounding_size=5', edgecolor=colour, facecolor=fill,
            linewidth=1.2, linestyle='--' if dashed else '-'))

    def arrow(self, x, y, to_x, to_y, colour, width=1.2):
        self._axes.add_patch(patches.FancyArrowPatch(
            (self._x + x, self._y + y), (self._x + to_x, self._y + to_y), color=colour,
            arrowstyle='-|>', mutation_scale=9 + 2 * width, linewidth=width,
            shrinkA=0, shrinkB=0))

    def line(self, xs, ys, colour, width=1.2):
        self._axes.plot([self._x + x for x in xs], [self._y + y for y in ys], color=colour,
                        linewidth=width, solid_joinstyle='miter')

    def number(self, x, y, number, colour):
        self._axes.add_patch(patches.Circle((self._x + x, self._y + y), 10, color=colour))
        self.text(x, y, number, size=9, colour='white', weight='bold')


@dataclass
class Column:
    """What belongs to one gPA: an entry of the guest's tables, or the final one."""
    level: int          # of the guest's table; 0 for the final gPA
    check: dict = None  # steps of the reply
    lookup: dict = None
    nested: dict = None # references by level
    guest: dict = None
    gpa: int = None

    @classmethod
    def of(cls, reply, level):
        column = cls(level, nested={})
        for step in reply['steps']:
            if step.get('for-level') == level:
                column.add_nested(step)
            elif step.get('table-level') == level and step['dimension'] == 'guest':
                column.guest = step
                column.gpa = step['address']
        return column

    def add_nested(self, step):
        self.gpa = step['gpa']
        if step['kind'] == 'check':
            self.check = step
        elif step['kind'] == 'filter':
            self.lookup = step
        else:
            self.nested[step['table-level']] = step

    @property
    def used(self):
        return self.gpa is not None

    @property
    def escape(self):
        return bool(self.lookup) and self.lookup['outcome'] in ('escape', 'false-escape')

    @property
    def by_segment(self):
        return bool(self.lookup) and self.lookup['outcome'] == 'segment'


class Grid:
    """The picture of one reply."""

    def __init__(self, reply):
        self._reply = reply
        self._nested_levels = reply['nested-levels']
        self._is_nested = reply['world'] == 'nested'
        levels = range(reply['guest-levels'], 0, -1)
        self._columns = [Column.of(reply, level) for level in (*levels, 0)]
        if not self._is_nested and 'mapping' in reply:
            self._columns[-1].gpa = reply['mapping']['hpa']
        self._faulting = reply['steps'][-1] if reply['steps'] and 'fault' in reply else None
        self._guest_check = next((s for s in reply['steps'] if s['kind'] == 'check'
                                  and s['dimension'] == 'guest'), None)

    @property
    def width(self):
        return LEFT + max(len(self._columns), 3) * COLUMN + MARGIN

    @property
    def height(self):
        return self._row_y(0) + ROW + FOOTER

    def _row_y(self, nested_level):
        """Upper edge of a row; level 0 is that of the guest's entries."""
        rows = self._nested_levels - nested_level
        return TOP + HEADING + rows * (ROW + GAP)

    def draw(self, picture):
        self._draw_title(picture)
        self._draw_address(picture)
        for i, column in enumerate(self._columns):
            self._draw_column(picture, column, LEFT + i * COLUMN)
        self._draw_row_names(picture)
        self._draw_legend(picture)

    def _draw_title(self, picture):
        reply = self._reply
        picture.text(MARGIN, 20, self._headline(), size=14, align='left', weight='bold')
        picture.text(MARGIN, 42, f'{reply["privilege"]} {reply["access"]} at '
                     f'{self._address_name()} {reply["address"]:#x}   →   {self._result()}',
                     size=10, align='left', colour=FAULT if 'fault' in reply else TEXT)

    def _headline(self):
        reply, cost = self._reply, self._reply['cost']
        if 'fault' in reply:
            refs = sum(step['kind'] == 'reference' for step in reply['steps'])
            return f'fault after {counted(refs, "memory reference")}'
        refs = cost['guest-refs'] + cost['nested-refs']
        parts = f' = {cost["guest-refs"]} guest + {cost["nested-refs"]} nested' \
            if reply['guest-levels'] and self._is_nested else ''
        name = f'{reply["regime"]}: ' if 'regime' in reply else ''
        return f'{name}{counted(refs, "memory reference")}{parts}, ' \
               f'{counted(cost["checks"], "base-bound check")}'

    def _address_name(self):
        if self._reply['level'] == 'vmm':
            return 'gPA'
        return 'gVA' if self._is_nested else 'VA'

    def _result(self):
        if 'fault' in self._reply:
            fault = self._reply['fault']
            names = {'page-fault': ('#PF', 'error code', 'CR2'),
                     'nested-page-fault': ('#NPF', 'EXITINFO1', 'EXITINFO2')}
            if fault['exception'] not in names:
                return '#GP, the address is not canonical'
            name, code, address = names[fault['exception']]
            return f'{name}, {code} {fault["code"]:#x}, {address} {fault["address"]:#x}'
        mapping = self._reply['mapping']
        gpa = f'gPA {mapping["gpa"]:#x}   →   ' \
            if 'gpa' in mapping and self._reply['level'] == 'guest' else ''
        return f'{gpa}hPA {mapping["hpa"]:#x}   ({self._permissions()})'

    def _permissions(self):
        mapping = self._reply['mapping']
        letters = (letter if mapping[name] else '-' for letter, name in (
            ('r', 'readable'), ('w', 'writable'), ('x', 'executable')))
        return ''.join(letters)

    def _draw_address(self, picture):
        """The box at the left: where it starts, and the first check."""
        check = self._guest_check
        hit = bool(check) and check['result'] != 'miss'
        colour = SEGMENT if hit else GUEST if self._reply['level'] == 'guest' else NESTED
        picture.box(MARGIN, TOP, 130, HEADING - GAP, colour)
        picture.text(MARGIN + 65, TOP + 12, self._address_name(), weight='bold', size=9)
        picture.text(MARGIN + 65, TOP + 26, f'{self._reply["address"]:#x}',
                     family='monospace', size=8)
        if self._reply['level'] == 'guest':
            text = f'guest segment: {check["result"]}' if check else 'no guest segment'
            picture.text(MARGIN + 65, TOP + 41, text, size=7.5, colour=colour if hit else TEXT)
        y = TOP + (HEADING - GAP) / 2
        if not hit:
            picture.arrow(MARGIN + 132, y, LEFT, y, colour)
        elif self._columns[-1].used:
            self._draw_guest_hit(picture)

    def _draw_guest_hit(self, picture):
        """The way over the columns that the guest segment saves."""
        y = TOP - 18
        end = LEFT + (len(self._columns) - 0.5) * COLUMN - GAP / 2
        picture.line((MARGIN + 65, MARGIN + 65, end, end), (TOP, y, y, TOP - 8), SEGMENT, 2.5)
        picture.arrow(end, TOP - 8, end, TOP - 1, SEGMENT, 2.5)
        offset = self._guest_check['target'] - self._guest_check['base']
        sign = '+' if offset >= 0 else '-'
        picture.text((LEFT + end) / 2, y - 8, f'guest segment: {sign} {abs(offset):#x}, '
                     'no reference', colour=SEGMENT, weight='bold', size=9)

    def _draw_column(self, picture, column, x):
        width = COLUMN - GAP
        self._draw_heading(picture, column, x, width)
        for level in range(self._nested_levels, 0, -1):
            self._draw_nested(picture, column, x, width, level)
        if column.by_segment:
            self._draw_vmm_hit(picture, column, x, width)
        y = self._row_y(0)
        if column.level:
            self._draw_reference(picture, x, y, width, column.guest, GUEST)
        else:
            self._draw_end(picture, column, x, y, width)
        if column.guest and column.nested:
            picture.arrow(x + width / 2, y - GAP, x + width / 2, y, GUEST)

    def _draw_heading(self, picture, column, x, width):
        colour = TEXT if column.used else FAINT
        kind = 'gPA' if self._is_nested else 'PA'
        name = f'{kind[:-2]}L{column.level} entry' if column.level else f'final {kind}'
        picture.text(x + width / 2, TOP + 8, name, size=10, weight='bold', colour=colour)
        if not column.used:
            picture.text(x + width / 2, TOP + 24, 'not reached' if 'fault' in self._reply
                         else 'not needed', colour=FAINT)
            return
        picture.text(x + width / 2, TOP + 23, f'{kind} {column.gpa:#x}', family='monospace')
        if column.check:
            self._draw_check(picture, column, x + width / 2)

    def _draw_check(self, picture, column, middle):
        outcome, colour = {
            'outside': ('VMM segment: miss', TEXT),
            'segment': ('VMM segment: hit', SEGMENT),
            'escape': ('VMM segment: hit, escape', ESCAPE),
            'false-escape': ('VMM segment: hit, false escape', ESCAPE),
        }[column.lookup['outcome']]
        picture.text(middle, TOP + 36, outcome, size=7.5, colour=colour)
        bits = '.'.join(map(str, column.lookup['bits']))
        passes = 'passes' if column.lookup['passes'] else 'not in it'
        picture.text(middle, TOP + 47, f'filter {bits}: {passes}', size=6.5, colour=colour)

    def _draw_nested(self, picture, column, x, width, level):
        step = column.nested.get(level)
        y = self._row_y(level)
        colour = ESCAPE if column.escape else NESTED
        if column.by_segment:
            return
        self._draw_reference(picture, x, y, width, step, colour)
        if step:
            picture.arrow(x + width / 2, y - GAP, x + width / 2, y, colour)

    def _draw_reference(self, picture, x, y, width, step, colour):
        """A cell: one page-table entry that is read, or is not."""
        if not step:
            picture.box(x, y, width, ROW, FAINT, dashed=True)
            return
        faults = step is self._faulting
        picture.box(x, y, width, ROW, FAULT if faults else colour,
                    fill='#fdeeee' if faults else 'white')
        picture.number(x + 15, y + ROW / 2, step['number'], FAULT if faults else colour)
        left = x + 31
        picture.text(left, y + 13, f'at {step["hpa"]:#x}', family='monospace', size=7.5,
                     align='left')
        picture.text(left, y + 27, f'{step["entry"]:#x}', family='monospace', size=7.5,
                     align='left')
        if 'page-size' in step:
            picture.text(left, y + 41, f'page of {page_name(step["page-size"])}', size=7.5,
                         align='left', colour=colour, weight='bold')

    def _draw_vmm_hit(self, picture, column, x, width):
        top, bottom = self._row_y(self._nested_levels), self._row_y(0)
        middle = (top + bottom) / 2 - 7
        for level in range(self._nested_levels, 0, -1):
            self._draw_reference(picture, x, self._row_y(level), width, None, FAINT)
        picture.arrow(x + width / 2, top - GAP, x + width / 2, bottom, SEGMENT, 2.5)
        picture.box(x + 8, middle - 20, width - 16, 40, SEGMENT)
        picture.text(x + width / 2, middle - 8, 'VMM segment', weight='bold', colour=SEGMENT)
        target = column.check.get('to')
        picture.text(x + width / 2, middle + 8,
                     f'hPA {target:#x}' if target is not None else 'beyond MAXPHYADDR',
                     family='monospace', size=7.5)

    def _draw_end(self, picture, column, x, y, width):
        """What has come out, below the nested walk of the final gPA."""
        if 'mapping' in self._reply:
            mapping = self._reply['mapping']
            picture.box(x, y, width, ROW, SEGMENT, fill='#eef8f4')
            picture.text(x + width / 2, y + 14, 'translation', weight='bold', size=9)
            picture.text(x + width / 2, y + 28, f'hPA {mapping["hpa"]:#x}',
                         family='monospace')
            picture.text(x + width / 2, y + 42, f'{self._permissions()}, '
                         f'{page_name(mapping["page-size"])} alike', size=7.5)
            if column.nested:
                picture.arrow(x + width / 2, y - GAP, x + width / 2, y, SEGMENT)
        else:
            picture.box(x, y, width, ROW, FAULT, fill='#fdeeee')
            picture.text(x + width / 2, y + ROW / 2, 'fault', weight='bold', size=10,
                         colour=FAULT)

    def _draw_row_names(self, picture):
        for level in range(self._nested_levels, 0, -1):
            picture.text(LEFT - 14, self._row_y(level) + ROW / 2, f'nested tables, nL{level}',
                         size=8.5, align='right')
        if self._reply['guest-levels']:
            whose = 'the guest\'s' if self._is_nested else 'the'
            picture.text(LEFT - 14, self._row_y(0) + ROW / 2, f'entry of {whose}\npage tables',
                         size=8.5, align='right')

    def _draw_legend(self, picture):
        y = self.height - 26
        x = MARGIN
        for colour, text, width in self._legend():
            picture.box(x, y - 6, 12, 12, colour, fill=colour)
            picture.text(x + 18, y, text, align='left', size=8.5)
            x += width

    def _legend(self):
        """Colour, text and width of each part."""
        yield GUEST, 'guest reference' if self._is_nested else 'reference', 120
        if self._is_nested:
            yield NESTED, 'nested reference', 125
        yield SEGMENT, 'by a segment', 108
        if self._is_nested:
            yield ESCAPE, 'escaped from the VMM segment', 190
        yield FAINT, 'not needed', 90


def counted(number, noun):
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def new_axes(width, height):
    """A figure of that size in points, with the origin at the upper left."""
    figure = pyplot.figure(figsize=(width / 72, height / 72), facecolor='white')
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis('off')
    return figure, axes


def save(figure, file):
    figure.savefig(file, dpi=144)
    pyplot.close(figure)


def draw(reply, file):
    """Writes the picture of one reply; the file's suffix is the format."""
    grid = Grid(reply)
    figure, axes = new_axes(grid.width, grid.height)
    grid.draw(Picture(axes))
    save(figure, file)


def draw_overview(replies, file):
    """Writes the pictures of some replies as one, two in a row."""
    grids = [Grid(reply) for reply in replies]
    width = max(grid.width for grid in grids)
    height = max(grid.height for grid in grids)
    rows = (len(grids) + 1) // 2
    figure, axes = new_axes(2 * width, rows * height)
    for i, grid in enumerate(grids):
        grid.draw(Picture(axes, i % 2 * width, i // 2 * height))
    save(figure, file)
