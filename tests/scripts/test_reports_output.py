# SPDX-License-Identifier: GPL-2.0-or-later
"""What report writes: exact, complete, and the same for the same records."""

import csv
import json
import random
import re
from types import SimpleNamespace

import pytest

from dseg import Failure
from dseg.reports import costs, report, results, table
from report_folders import FILE, MET, SMALL, classes, folder  # pylint: disable=unused-import
from sample_runs import sample

pytest.importorskip('matplotlib')


def options(**some):
    return SimpleNamespace(**{**dict.fromkeys(('html', 'csv', 'json', 'svg', 'pdf')), **some})


def everything(into):
    into.mkdir()
    return options(html=into / 'x.html', csv=into / 'x.csv', json=into / 'x.json', svg=into / 'svg',
                   pdf=into / 'pdf')


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted(path.rglob('*')) if file.is_file()}


def test_the_same_records_give_the_same_files_byte_for_byte(folder, tmp_path, capsys):
    """Whenever and however fast they were measured."""
    run = folder()
    assert report.main(run, everything(tmp_path / 'a')) == 0
    for file in run.glob('points/*/record.json'):
        file.write_text(json.dumps({**json.loads(file.read_text()), 'seconds': random.random()}))
    assert report.main(run, everything(tmp_path / 'b')) == 0
    first = contents(tmp_path / 'a')
    assert first == contents(tmp_path / 'b')
    assert not any(b'CreationDate' in text or b'dc:date' in text for text in first.values())
    assert sorted(first) == ['pdf/1-overheads-bars.pdf', 'pdf/2-by-workload.pdf',
                             'svg/1-overheads-bars.svg', 'svg/2-by-workload.svg', 'x.csv', 'x.html',
                             'x.json']


def read_csv(file):
    return list(csv.DictReader(file.read_text().splitlines()))


def test_csv_and_json_have_a_row_for_each_point_in_order(folder, tmp_path, capsys):
    report.main(folder(skip=(1,)), everything(tmp_path / 'a'))
    rows = read_csv(tmp_path / 'a/x.csv')
    assert [(row['workload'], row['configuration']) for row in rows] == [
        (axes['workload'], axes['configuration']) for axes in SMALL]
    assert [row['state'] for row in rows] == ['measured', 'failed'] + ['measured'] * 8
    assert rows[1]['overhead'] == '' and rows[1]['program-walks'] == ''
    assert tuple(rows[0]) == table.COLUMNS and 'seconds' not in rows[0]
    again = json.loads((tmp_path / 'a/x.json').read_text())
    assert [{name: '' if value is None else str(value) for name, value in row.items()}
            for row in again['points']] == rows


def test_the_columns_are_what_they_are_called(folder, tmp_path, capsys):
    report.main(folder(), everything(tmp_path / 'a'))
    for row, axes in zip(read_csv(tmp_path / 'a/x.csv'), SMALL):
        record = sample(axes)
        world = 'native' if axes['configuration'].startswith('native') else 'nested'
        program = [bar for bar in record['refs']
                   if (bar['world'], bar['privilege']) == (world, 'user')]
        walks = sum(bar['walks'] for bar in program)
        refs = sum(bar['walks'] * (bar['guest'] + bar['nested']) for bar in program)
        assert int(row['program-walks']) == walks
        assert float(row['refs-per-walk']) == pytest.approx(refs / walks)
        assert int(row['all-walks']) == sum(bar['walks'] for bar in record['refs'])
        parts = [float(row[f'{part}-cycles']) for part in ('guest', 'nested', 'check', 'l2-hit')]
        assert float(row['overhead']) == pytest.approx(sum(parts) / float(row['ideal-cycles']))
        assert float(row['overhead-direct']) == float(row['overhead'])
        assert float(row['overhead-x0.5']) < float(row['overhead']) < float(row['overhead-x2'])
        assert int(row['tlb-l2-hits']) * 7 == float(row['l2-hit-cycles'])
        assert row['exits'] == '100' and row['contiguity-guest-runs-90'] == '30'
        assert row['contiguity-nested-runs-90'] == ''


def test_the_exit_code_says_if_a_claim_is_not_met(folder, capsys):
    for number, (claim, code) in enumerate([
            (MET, 0), ({**MET, 'above': 30}, 1), ({**MET, 'of': {'workload': 'cg'}}, 0)]):
        assert report.main(folder(str(number), file={**FILE, 'claim': [claim]}), options()) == code
    said = capsys.readouterr().out
    assert said.index('\n  met  ') < said.index('\n  not met ') < said.index('\n  not measured ')


def test_a_record_that_breaks_a_closed_form_is_an_error_that_is_named(folder, capsys):
    def wrong(axes):
        record = sample(axes)
        record['refs'][0]['walks'] += axes['configuration'] == 'dd'
        return record
    assert report.main(folder(record=wrong), options()) == 1
    said = capsys.readouterr().err.splitlines()
    assert said and all('dd' in line and ' is not ' in line for line in said)


def test_a_claim_that_can_not_be_writes_nothing(folder, tmp_path, capsys):
    with pytest.raises(Failure, match=r'sample.toml: claim.1.bellow: there is no such key'):
        report.main(folder(file={**FILE, 'claim': [{**MET, 'bellow': 1}]}),
                    everything(tmp_path / 'a'))
    assert not contents(tmp_path / 'a')


def test_a_claim_is_refused_by_the_place_that_the_run_has_kept(folder):
    run = folder(file={**FILE, 'claim': [{**MET, 'bellow': 1}]},
                 places={('claim', 0, 'bellow'): 'paper.toml:7', ('claim', 0): 'paper.toml:2'})
    with pytest.raises(Failure, match=r'^paper.toml:7: claim.1.bellow: '):
        report.main(run, options())


def test_other_costs_may_be_asked_for(folder, tmp_path, capsys):
    run = folder()
    for name in costs.PRESETS:
        report.main(run, options(csv=tmp_path / f'{name}.csv', costs=name))
        for row in read_csv(tmp_path / f'{name}.csv'):
            assert row['overhead'] == row[f'overhead-{name}']
    assert len({(tmp_path / f'{name}.csv').read_text() for name in costs.PRESETS}) == 3


def test_a_record_that_lacks_a_key_is_named(folder):
    run = folder(record=lambda axes: {name: value for name, value in sample(axes).items()
                                      if name != 'steps'})
    with pytest.raises(Failure, match='record.json: steps: this key is missing'):
        report.main(run, options())


def page_of(run, tmp_path):
    report.main(run, options(html=tmp_path / 'x.html'))
    return (tmp_path / 'x.html').read_text()


def test_the_page_needs_no_network_and_no_script(folder, tmp_path, capsys):
    page = page_of(folder(), tmp_path)
    assert '<script' not in page and '@import' not in page and '<link' not in page
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) and all(
        target.startswith('#') for target in re.findall(r'(?:src|href)="([^"]*)"', page))
    addresses = set(re.findall(r'https?://[^"\s<]+', page))
    assert addresses <= {'http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink'}


def test_names_in_the_page_are_there_once_and_where_they_are_used(folder, tmp_path, capsys):
    page = page_of(folder(), tmp_path)
    names = re.findall(r'\bid="([^"]*)"', page)
    assert len(names) == len(set(names)) > 50
    used = re.findall(r'(?:href="|url\()#([^")]*)', page)
    assert used and set(used) <= set(names)


def test_the_page_says_all_of_it(folder, tmp_path, capsys):
    page = page_of(folder(skip=(1,)), tmp_path)
    assert '<h1>A &lt;sample&gt; &amp; its title</h1>' in page
    assert 'a &lt;claim&gt; &amp; more' in page and '✓ met' in page
    assert 'L2 did not boot' in page and '9 of 10 points' in page
    assert '25 % to 192 %' in page
    for model in 'Basu', 'Gandhi', 'Alam', 'Pham', 'Yaniv':
        assert f'>{model}<' in page
    assert '0 do not hold' in page and '6.1.0-56-cloud-amd64' in page


def test_the_table_behind_a_figure_has_its_numbers(folder, tmp_path, capsys):
    run = folder()
    page = page_of(run, tmp_path)
    _, found = results.read(run)
    begin = page.index('The table behind it')
    behind = page[begin:page.index('</details>', begin)]
    for point in found.points:
        assert f'>{table.share(found.parts(point).overhead)}<' in behind


def test_a_folder_without_a_single_record_has_a_report(folder, tmp_path, capsys):
    page = page_of(folder(skip=range(10)), tmp_path)
    assert '0 of 10 points' in page and 'Nothing that this figure shows is measured' in page
