# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium shows the pages of report and compare: nothing overlaps, and nothing is cut off."""

import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from dseg.points import workloads
from dseg.reports import compared, report
from sample_runs import CLASSES, axes_of, make_folder, matrix, sample

pytest.importorskip('matplotlib')
CHROMIUM = shutil.which('chromium')
pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no Chromium (packages: report-test)')

SECONDS = 120
WIDTHS = {'phone': 390, 'desktop': 1200}
HEADLESS = ('--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
            '--disable-dev-shm-usage', '--virtual-time-budget=20000')

# Put at the end of the page: finds what is wrong with the places of all that it has.
LOOK = '''
<script>
(() => {
  const wrong = [];
  let looked = 0;
  const say = (what, element, more) => {
    const name = (element.textContent || '').trim().slice(0, 40) || element.id;
    wrong.push(`${what}: ${name} ${more}`);
  };
  const part = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                         Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const inside = (a, b) => a.left > b.left - 1 && a.right < b.right + 1 &&
                           a.top > b.top - 1 && a.bottom < b.bottom + 1;
  const size = box => [box.left, box.top, box.right, box.bottom].map(Math.round).join(' ');
  document.querySelectorAll('details').forEach(details => details.open = true);

  // Pictures: each text is a group of outlines, whose name has "text" in it.
  document.querySelectorAll('svg').forEach(svg => {
    const whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('g[id*="-text_"]')].map(
      group => [group, group.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
    const bars = [...svg.querySelectorAll('g[id*="-patch_"] > path')].filter(
      path => /fill: *#(0072b2|e69f00|009e73|bbbbbb)/.test(path.getAttribute('style'))).map(
      path => [path, path.getBoundingClientRect()]).filter(([, box]) => box.height > 1);
    looked += texts.length + bars.length;
    if (!texts.length) say('no text', svg, '');
    texts.forEach(([group, box], place) => {
      if (!inside(box, whole)) say('cut off', group, size(box) + ' of ' + size(whole));
      texts.slice(place + 1).forEach(([other, its]) => {
        if (part(box, its)) say('overlap', group, other.id + ' ' + size(box) + ' ' + size(its)); });
      bars.forEach(([, its]) => {
        if (part(box, its)) say('text on a bar', group, size(box) + ' ' + size(its)); });
    });
  });

  // Text: within what it belongs to, and within the page, if that is nothing that scrolls.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest('script, style, svg')) continue;
    const block = parent.closest('td, th, p, h1, h2, h3, summary, nav, figcaption');
    if (!block) { say('text of no block', parent, ''); continue; }
    const range = document.createRange();
    range.selectNodeContents(node);
    const scrolls = block.closest('.wide');
    for (const box of range.getClientRects()) {
      looked += 1;
      if (!inside(box, block.getBoundingClientRect()))
        say('text leaves its place', parent, size(box));
      if (!scrolls && (box.left < 0 || box.right > innerWidth))
        say('cut off', parent, size(box));
    }
  }

  // Blocks: beside or below each other.
  document.querySelectorAll('tr, body, section, figure, details').forEach(one => {
    const boxes = [...one.children].filter(child => !/^(SCRIPT|STYLE)$/.test(child.tagName)).map(
      child => [child, child.getBoundingClientRect()]).filter(([, box]) => box.height > 0);
    boxes.forEach(([child, box], place) => {
      const next = boxes[place + 1];
      if (next && part(box, next[1])) say('overlap', child, size(box) + ' ' + size(next[1]));
    });
  });
  document.querySelectorAll('.wide').forEach(wide => {
    if (wide.scrollWidth > wide.clientWidth && getComputedStyle(wide).overflowX !== 'auto')
      say('does not scroll', wide, '');
  });
  if (document.documentElement.scrollWidth > innerWidth)
    say('wider than the screen', document.body, document.documentElement.scrollWidth);
  parent.postMessage(JSON.stringify({ width: innerWidth, looked, wrong: wrong.slice(0, 20) }), '*');
})();
</script>
'''
# Chromium's own window has a least width, which is that of no phone.
FRAME = '''<!DOCTYPE html><html><head><title>nothing</title></head><body style="margin: 0">
<script>addEventListener('message', event => document.title = event.data)</script>
<iframe src="page.html" style="width: {width}px; height: 3000px; border: 0"></iframe></body></html>
'''

FILE = {
    'title': 'Overheads of translation with every page size and in every mode, on a live system',
    'claim': [
        {'text': 'Dual Direct costs less than 1 % for each big-memory workload', 'below': 0.01,
         'value': 'overhead', 'of': {'configuration': 'dd', 'class': 'big-memory'},
         'source': 'abstract'},
        {'text': '4K+4K costs more than native 4K', 'value': 'overhead', 'source': 'poster',
         'order': ['native-ds', 'native-4k', '4k+4k']},
        {'text': '1G pages', 'value': 'walks', 'of': {'configuration': '1g+1g'}, 'above': 10 ** 9,
         'source': 'recalled'}],
    'figure': [
        {'kind': 'overhead-bars', 'title': 'Overhead by workload and configuration'},
        {'kind': 'overhead-bars', 'title': 'Dual Direct of one workload',
         'where': {'workload': 'gups', 'configuration': ['dd', '4k+4k']}},
        {'kind': 'lines', 'title': 'References per walk of every configuration', 'x': 'workload',
         'y': 'refs-per-walk'},
        {'kind': 'timeline', 'title': 'A segment is lost and restored',
         'where': {'configuration': 'dd', 'workload': ['gups', 'bfs']}},
        {'kind': 'steps', 'title': 'What each step of a walk takes'},
        {'kind': 'overhead-bars', 'title': 'Overhead by modelled caches', 'costs': 'measured'}]}


def with_timeline(axes):
    """A record with a segment that is lost and restored."""
    samples = [{'at': float(at), 'walks': {'dual-direct': 200 if 10 < at < 20 else 9000,
                                           'base': 9500 if 10 < at < 20 else 100}}
               for at in range(31)]
    events = [{'at': 10, 'text': 'KSM merges pages: the segment is lost'},
              {'at': 12, 'text': 'a balloon takes 64 MiB'}, {'at': 20, 'text': 'restored'},
              {'at': 29, 'text': 'the guest has moved to another host'}]
    return {**sample(axes), 'timeline': {'samples': samples, 'events': events}}


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """The maker of pages."""
    def make(all_axes, file, **more):
        folder = tmp_path_factory.mktemp('run')
        make_folder(folder, all_axes, file, record=with_timeline, **more)
        nothing = dict.fromkeys(('csv', 'json', 'svg', 'pdf'))
        report.main(folder, SimpleNamespace(html=folder / 'page.html', **nothing))
        return (folder / 'page.html').read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workloads, 'read', lambda: {
            name: SimpleNamespace(kind=kind) for name, kind in CLASSES.items()})
        yield make


@pytest.fixture(scope='module')
def page(pages):
    """8 workloads in 20 configurations, of which one has failed."""
    return pages(matrix(), FILE, skip=(30,))


@pytest.fixture(scope='module')
def compare_page(pages, tmp_path_factory):      # pylint: disable=unused-argument
    """The same configurations with another TLB and another QEMU; some changes are large."""
    def other(axes):
        few = {'dd': 1, 'native-4k': 1, '4k+4k': 0.4, '4k+vd': 1.7, '2m+2m': 30}
        return sample(axes, few.get(axes['configuration'], 0.9))
    folder = tmp_path_factory.mktemp('compare')
    for name in 'ab':
        (folder / name).mkdir()
    make_folder(folder / 'a', matrix(), FILE, skip=(30,))
    make_folder(folder / 'b', [{**axes, 'tlb': 'geometries/walk-caches-and-nested-tlb.json'}
                               for axes in matrix()], FILE, record=other, qemu='5678' * 16)
    nothing = dict.fromkeys(('csv', 'json', 'svg', 'pdf', 'costs'))
    compared.main([folder / 'a', folder / 'b'], SimpleNamespace(html=folder / 'page.html', **nothing))
    return (folder / 'page.html').read_text()


def chromium(*arguments, folder):
    """What it prints."""
    done = subprocess.run([CHROMIUM, *HEADLESS, f'--user-data-dir={folder}/profile', *arguments],
                          check=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout


def look(text, folder, width):
    """What the script finds wrong with a page, in a window of that width."""
    (folder / 'page.html').write_text(text.replace('</body>', f'{LOOK}</body>'))
    (folder / 'frame.html').write_text(FRAME.format(width=width))
    dom = chromium('--window-size=1300,3100', '--dump-dom', f'file://{folder}/frame.html',
                   folder=folder)
    title = re.search(r'<title>(.*?)</title>', dom, re.S)[1]
    for name, letter in (('&quot;', '"'), ('&lt;', '<'), ('&gt;', '>'), ('&amp;', '&')):
        title = title.replace(name, letter)
    found = json.loads(title)
    assert found['width'] == width
    return found


@pytest.mark.parametrize('width', WIDTHS.values(), ids=WIDTHS)
def test_nothing_overlaps_or_is_cut_off(page, tmp_path, width):
    found = look(page, tmp_path, width)
    assert found['looked'] > 5000
    assert not found['wrong'], '\n'.join(found['wrong'])


@pytest.mark.parametrize('width', WIDTHS.values(), ids=WIDTHS)
def test_nothing_overlaps_or_is_cut_off_where_runs_are_compared(compare_page, tmp_path, width):
    found = look(compare_page, tmp_path, width)
    assert found['looked'] > 5000
    assert not found['wrong'], '\n'.join(found['wrong'])


def test_a_number_on_a_pair_of_bars_is_found(compare_page, tmp_path):
    changed = re.sub(r'(<g id="f1-text_\d+")>', r'\1 transform="translate(0 12)">', compare_page)
    found = look(changed, tmp_path, WIDTHS['desktop'])
    assert any(text.startswith('text on a bar') for text in found['wrong']), found['wrong']


@pytest.mark.parametrize('name, all_axes', [
    ('one point', [axes_of('gups', 'dd')]),
    ('two workloads', matrix(['gups', 'zstd'], ['native-4k', 'dd'])),
    ('modelled caches', matrix(['gups', 'xsbench'], ['native-4k', '4k+4k', 'dd'],
                               **{'caches': True, 'tlb-mode': 'exact'})),
    ('many axes', [axes_of('gups', name, escapes=escapes, fragmentation=share)
                   for name in ('4k+vd', 'dd', 'thp+vd') for escapes in (0, 1, 16)
                   for share in (0.0, 0.25, 1.0)])],
    ids=lambda value: value if isinstance(value, str) else '')
def test_nothing_overlaps_in_small_and_odd_experiments(pages, tmp_path, name, all_axes):
    del name
    found = look(pages(all_axes, FILE), tmp_path, WIDTHS['desktop'])
    assert not found['wrong'], '\n'.join(found['wrong'])


def damaged(page, what):
    """The page with something that the script has to find."""
    text = re.search(r'<g id="f1-text_30">', page)[0]
    return {
        'overlap': page.replace(text, text[:-1] + ' transform="translate(9 0)">'),
        'cut off': page.replace(text, text[:-1] + ' transform="translate(-2000 0)">'),
        'text on a bar': re.sub(r'(<g id="f1-text_\d+")>', r'\1 transform="translate(0 12)">',
                                page),
        'text leaves its place': page.replace('</style>', 'td { max-width: 1rem; }</style>'),
        'wider than the screen': page.replace('<h1>', '<h1 style="width: 2000px">'),
        'no text': page.replace('id="f1-text_', 'id="f1-other_'),
        'does not scroll': page.replace('overflow-x: auto', 'overflow-x: hidden'),
    }[what]


@pytest.mark.parametrize('what', ['overlap', 'cut off', 'text on a bar', 'text leaves its place',
                                  'wider than the screen', 'no text', 'does not scroll'])
def test_what_is_wrong_with_a_page_is_found(page, tmp_path, what):
    changed = damaged(page, what)
    assert changed != page
    found = look(changed, tmp_path, WIDTHS['phone'])
    assert any(text.startswith(what) for text in found['wrong']), found['wrong']


def test_a_screenshot_has_the_colours_of_all_parts(page, tmp_path):
    """So the picture is there, not only its places."""
    pyplot = pytest.importorskip('matplotlib.pyplot')
    (tmp_path / 'page.html').write_text(page)
    chromium('--window-size=1200,1800', f'--screenshot={tmp_path}/page.png',
             f'file://{tmp_path}/page.html', folder=tmp_path)
    picture = (pyplot.imread(tmp_path / 'page.png')[:, :, :3] * 255).round().astype(int)
    assert picture.shape == (1800, 1200, 3)
    for colour in ('#0072b2', '#e69f00', '#ffffff'):
        wanted = [int(colour[at:at + 2], 16) for at in (1, 3, 5)]
        assert (picture == wanted).all(axis=2).sum() > 1000, colour
