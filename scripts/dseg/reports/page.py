# SPDX-License-Identifier: GPL-2.0-or-later
"""One HTML file with all that it shows: no script, nothing from a network, for phones and paper."""

import re
from html import escape

STYLE = '''
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: #fff; color: #1a1a1a;
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #999; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
h2, h3 { break-after: avoid; }
p { max-width: 46rem; margin: .5rem 0; }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: #004a80; }
figcaption { font-size: .85rem; }
figure { margin: 1rem 0; break-inside: avoid; }
.wide { overflow-x: auto; }
.wide svg { display: block; width: 100%; min-width: 44rem; height: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: .3rem 0; }
th, td { padding: .15rem .6rem .15rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #666; }
td { border-bottom: 1px solid #ddd; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.k { white-space: nowrap; }
.t { min-width: 14rem; }
.met { color: #005f3c; font-weight: bold; white-space: nowrap; }
.not-met { color: #a30000; font-weight: bold; white-space: nowrap; }
.not-measured { color: #555; font-weight: bold; white-space: nowrap; }
summary { cursor: pointer; padding: .3rem 0; }
code { font-size: .85em; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  .claims thead { display: none; } .claims tr, .claims td { display: block; border: 0; }
  .claims tr { padding: .4rem 0; border-bottom: 1px solid #ddd; }
  .claims td::before { content: attr(data-name); color: #555; font-weight: normal; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; } .wide svg { min-width: 0; }
  table { font-size: 6.5pt; } nav { display: none; } tr { break-inside: avoid; }
  .t { min-width: 0; } td, th { padding-right: .25rem; }
  details::details-content { content-visibility: visible; display: block; }
}
'''
NUMBER = re.compile(r'-?[\d.]+(?:[eE][+-]?\d+)? ?%?|-')


def whole(title, intro, parts):
    """The text of the file. intro: HTML; parts: (name, heading, HTML) of each section"""
    title = escape(title)
    links = ' '.join(f'<a href="#{name}">{about}</a>' for name, about, _ in parts)
    body = '\n'.join(f'<section id="{name}"><h2>{about}</h2>\n{text}</section>'
                     for name, about, text in parts)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n'
            f'{intro}<nav>{links}</nav>\n{body}\n</body></html>\n')


def make_table(header, rows, texts=()):
    """A table that scrolls sideways; texts: columns whose cells may be long."""
    def cell(column, text):
        text = str(text)
        kind = 't' if column in texts else 'n' if NUMBER.fullmatch(text) else 'k'
        return f'<td class="{kind}">{escape(text)}</td>'
    numeric = {column for column in range(len(header))
               if rows and all(NUMBER.fullmatch(str(row[column])) for row in rows)}
    head = ''.join(f'<th{" class=n" if column in numeric else ""}>{escape(name)}</th>'
                   for column, name in enumerate(header))
    body = ''.join('<tr>' + ''.join(cell(*each) for each in enumerate(row)) + '</tr>\n'
                   for row in rows)
    return (f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
            f'<tbody>{body}</tbody></table></div>\n')


def details(about, text):
    """What a click shows."""
    return f'<details><summary>{escape(about)}</summary>\n{text}</details>\n'


def picture(number, title, svg, caption):
    """A figure, which has that number in the page; svg is None where it would be empty."""
    name = escape(title, quote=True)
    if svg is None:
        return f'<h3>{name}</h3><p>Nothing that this figure shows is measured.</p>\n'
    below = f'<figcaption>{caption}</figcaption>' if caption else ''
    return (f'<figure><div class="wide">{embedded(svg, f"f{number}-", name)}</div>'
            f'{below}</figure>\n')


def embedded(svg, prefix, name):
    """An SVG as a part of the page: its names are its own, and its size is that of the place."""
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'\b(id=")([^"]+")', rf'\1{prefix}\2', svg)
    svg = re.sub(r'(href="#|url\(#)', rf'\1{prefix}', svg)
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.S)
    svg = re.sub(r'<!--.*?-->\s*', '', svg, flags=re.S)
    head, rest = svg.split('>', 1)
    head = re.sub(r' (?:width|height)="[^"]*"', '', head)
    return f'{head} role="img" aria-label="{name}">{rest}'
