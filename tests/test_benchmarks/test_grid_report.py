"""Tables and pages from hand-made results; what was not run is open."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.grid.experiment import Settings, fingerprint
from benchmarks.grid.grids import GRIDS
from benchmarks.grid.measures import Hits, curve_counts, pack
from benchmarks.grid.report import difference_table, grid_section, main_table, provenance, verdict, write_plots
from benchmarks.grid.results import Difference, of_settings, read_grid
from benchmarks.grid.rows import BY_NAME, OCCLUDERS, PLAIN
from benchmarks.page import replace_section, without_padding
from posestructs.utils.usage import UsageError

GRID = GRIDS['cpu']['lspet-mini']
# rows whose results of the grid that shares them are of another config
STALE = {}
PERSONS = 200


def hits_with(right, occluded):
    """Persons of one joint; so many of the first are right, so many of the last occluded."""
    distance = np.where(np.arange(PERSONS) < right, 0.03, np.inf)[:, None]
    ones = np.ones((PERSONS, 1), bool)
    hidden = (np.arange(PERSONS) >= PERSONS - occluded).astype(np.int8)[:, None]
    sticks = np.arange(PERSONS)[:, None] < right // 2
    return Hits(('neck',), ('torso',), ones, hidden, distance <= 0.2, curve_counts(distance), ones, sticks)


def write_result(folder, row, seed, right, covered, commit='abc1234'):
    """A result of which ``right`` persons are right, and ``covered`` of them under occluders."""
    facts = dict(
        row=row, seed=seed, fingerprint='x', epochs=4, images=20000, batch_size=16, parameters=260_000, gmacs=0.166,
        images_per_second=25.0, seconds=dict(train=800.0), machine=dict(cpu='C', threads=2, python='3', torch='2',
        mmpose='1', commit=commit), sets={PLAIN: pack(hits_with(right, 0)), OCCLUDERS: pack(hits_with(covered, 50))},
    )  # fmt: skip
    path = folder / GRID.name / f'{row}_seed{seed}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def cells(table):
    rows = [[c.strip() for c in line.strip('|').split('|')] for line in table.splitlines()]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


@pytest.fixture
def folder(tmp_path):
    write_result(tmp_path, 'tree-both', 0, 100, 160)
    write_result(tmp_path, 'tree-both', 1, 110, 160)
    write_result(tmp_path, 'tree-none', 0, 99, 150)
    return tmp_path


def test_rows_with_mean_and_spread_and_open_ones(folder):
    table = cells(main_table(GRID, read_grid(folder, GRID)))
    both = table['tree, messages both ways']
    # 50 and 55 percent; 25 and 27.5
    assert both['TorsoPCK@0.2'] == '52.5 ± 3.5' and both['StrictPCP@0.5'] == '26.2 ± 1.8'
    # under occluders, persons 150 to 199 are occluded; the first 160 are right
    assert both['occluded TorsoPCK@0.2'] == '20.0 ± 0.0' and both['visible TorsoPCK@0.2'] == '100.0 ± 0.0'
    assert both['parameters'] == '0.26 M' and both['GMACs'] == '0.166' and both['seeds'] == '2'
    assert both['minutes'] == '13.3 ± 0.0' and both['images/s'] == '25.0 ± 0.0'
    assert table['tree, no messages']['TorsoPCK@0.2'] == '49.5'
    assert table['mmpose hourglass']['TorsoPCK@0.2'] == 'open' and table['mmpose hourglass']['seeds'] == '-'
    assert 'mmpose HRNet-W32' not in table  # of another grid


def test_differences_of_shared_seeds_and_missed_aims_first(folder):
    table = difference_table(GRID, read_grid(folder, GRID))
    first = cells(table)
    messages = first['messages: tree, messages both ways - tree, no messages']
    # seed 0 alone has both rows: 50.0 - 49.5
    assert messages['TorsoPCK@0.2'].startswith('+0.5 [')
    assert messages['occluded TorsoPCK@0.2'].startswith('+20.0 [')
    assert 'at least 2.0 TorsoPCK@0.2: **missed**' in messages['aim']
    assert table.splitlines()[2].startswith('| messages:')
    unknown = next(row for name, row in first.items() if name.startswith('hybrid and tree'))
    assert unknown['TorsoPCK@0.2'] == 'open' and unknown['aim'].endswith(': open')


def test_an_aim_is_reached_if_the_interval_is_above_zero():
    found = Difference(points=2.5, deviation=None, low=0.1, high=4.9)
    assert verdict(found, 2.0) == verdict(found, 0) == 'reached' and verdict(found, 3.0) == '**missed**'
    assert verdict(found._replace(low=-0.1), 2.0) == 'undecided'
    assert verdict(found._replace(points=0.0, low=-0.1), 0) == '**missed**'


def test_differences_have_a_spread_over_seeds(folder):
    write_result(folder, 'tree-none', 1, 105, 160)
    table = cells(difference_table(GRID, read_grid(folder, GRID)))
    messages = table['messages: tree, messages both ways - tree, no messages']
    # seed 0: 50.0 - 49.5; seed 1: 55.0 - 52.5; their mean, and 2 / sqrt(2)
    assert messages['TorsoPCK@0.2'].startswith('+1.5 ± 1.4 [')
    # under occluders, (160 - 150) and (160 - 160) of 50 persons
    assert messages['occluded TorsoPCK@0.2'].startswith('+10.0 ± 14.1 [')


def test_a_seed_that_was_run_twice_counts_once(folder):
    """As with another layout of tensors in the folder of a grid, and without it in that of the one it shares with."""
    path = folder / GRID.name / 'tree-none_seed0.json'
    facts = json.loads(path.read_text())
    for options in (dict(), dict(channels_last=True)):
        settings = Settings(**options)
        facts.update(fingerprint=fingerprint(GRID, BY_NAME['tree-none'], 0, settings), settings=options)
        path.with_name(f'tree-none_seed0{"_again" * bool(options)}.json').write_text(json.dumps(facts))
    runs = read_grid(folder, GRID)
    assert len(runs['tree-none']) == 2
    (kept,) = of_settings(runs, GRID, Settings())['tree-none']
    assert kept.facts['seed'] == 0


def test_page_keeps_what_is_written_by_hand(folder, tmp_path):
    runs = read_grid(folder, GRID)
    drawings = write_plots(GRID, runs, tmp_path / 'images')
    assert len(drawings) == 2 and all(path.read_bytes().startswith(b'RIFF') for path in drawings.values())
    text = grid_section(GRID, runs, {about: f'images/{path.name}' for about, path in drawings.items()})
    assert 'All rows: 2 threads of C' in text and 'commit abc1234' in text and '20,000 training images' in text
    # of the one grid whose visible and occluded joints are those of other images
    assert 'on the same images under artificial occluders' in text
    assert ' one run at a time.\n' in text
    noted = grid_section(replace(GRID, note='Mind this.'), runs, {})
    assert ' one run at a time. Mind this.\n' in noted
    plain = grid_section(replace(GRID, test_sets=('plain',)), {'tree-none': runs['tree-none']}, {})
    assert 'artificial occluders' not in plain
    page = replace_section('# Mine\n\nby hand\n', 'accuracy', text)
    page = replace_section(page, 'other', 'more')
    again = replace_section(page, 'accuracy', 'new')
    assert again.startswith('# Mine\n\nby hand\n') and 'more' in again and 'new' in again and 'All rows' not in again
    with pytest.raises(UsageError, match='only one of the comments'):
        replace_section('<!-- end of accuracy -->', 'accuracy', text)


def test_a_grid_s_own_run_comes_before_the_shared_one(folder):
    grid = replace(GRID, name='own', shares=(GRID.name,))
    (folder / 'own').mkdir()
    facts = json.loads((folder / GRID.name / 'tree-none_seed0.json').read_text())
    (folder / 'own' / 'tree-none_seed0.json').write_text(json.dumps(dict(facts, parameters=1)))
    assert [run.facts['parameters'] for run in read_grid(folder, grid)['tree-none']] == [1]
    assert [run.facts['parameters'] for run in read_grid(folder, GRID)['tree-none']] == [260_000]


def test_columns_and_plots_without_any_value_are_left_out(folder, tmp_path):
    for path in (folder / GRID.name).glob('*.json'):
        facts = json.loads(path.read_text())
        facts['sets'] = {PLAIN: facts['sets'][PLAIN]}  # scored without occluders
        path.write_text(json.dumps(facts))
    grid = replace(GRID, test_sets=(PLAIN,), plots=('joints', 'occlusion'))
    runs = {
        name: [replace(r, hits={PLAIN: nothing_occluded(r)}) for r in found]
        for name, found in read_grid(folder, grid).items()
    }
    assert 'occluded TorsoPCK@0.2' not in main_table(grid, runs).splitlines()[0]
    assert 'occluded TorsoPCK@0.2' not in difference_table(grid, runs).splitlines()[0]
    assert [path.name for path in write_plots(grid, runs, tmp_path / 'plots').values()] == [f'{grid.name}_joints.webp']


def nothing_occluded(run):
    # nothing is known of occlusion
    hits = run.hits[PLAIN]
    return replace(hits, occluded=np.full_like(hits.occluded, -1))


def test_page_without_a_run_invents_nothing():
    text = grid_section(GRID, {}, {})
    numbers = [row for row in cells(main_table(GRID, {})).values() if row['TorsoPCK@0.2'] != 'open']
    assert not numbers and 'commit' not in text
    # no table of nothing, but which rows are to come
    assert '|' not in text and 'no row has been run yet: mean pose; mmpose simple baseline' in text


def test_results_of_another_config_are_not_reported(folder):
    path = folder / GRID.name / 'tree-none_seed0.json'
    facts = json.loads(path.read_text())
    facts.update(fingerprint=fingerprint(GRID, BY_NAME['tree-none'], 0, Settings(bf16=True)), settings=dict(bf16=True))
    path.write_text(json.dumps(facts))
    runs = read_grid(folder, GRID)
    assert set(runs) == {'tree-none', 'tree-both'}
    # the other's fingerprint is 'x'; how a GPU computed is no other run
    assert set(of_settings(runs, GRID, Settings())) == {'tree-none'}
    assert of_settings(runs, GRID, Settings(epochs=1)) == {}


def test_damaged_result_is_named(folder):
    path = folder / GRID.name / 'tree-none_seed0.json'
    path.write_text('{"row": 1}')
    with pytest.raises(UsageError, match='tree-none_seed0.json is not a result'):
        read_grid(folder, GRID)


def test_the_load_of_the_gpu_is_reported_or_unknown(folder):
    runs = read_grid(folder, GRID)
    assert 'GPU' not in provenance(GRID, runs)
    for found in runs.values():
        for run in found:
            run.facts['machine']['gpu'] = 'G'
    assert 'The load of the GPU is unknown' in provenance(GRID, runs)
    runs['tree-none'][0].facts['gpu_utilisation'] = 83.2
    assert provenance(GRID, runs).count('busy 83 % of the time') == 1


@pytest.mark.parametrize(
    'grid', [grid for grids in GRIDS.values() for grid in grids.values()], ids=lambda grid: grid.name
)
def test_committed_results_are_those_of_the_configs_of_today(grid):
    """Of one seed, as another one changes nothing in the config."""
    runs = {name: found[:1] for name, found in read_grid(accuracy.RESULTS, grid).items()}
    assert {name for name in runs if name not in of_settings(runs, grid, Settings())} == STALE.get(grid.name, set())


def test_only_tables_wider_than_a_screen_lose_their_padding():
    narrow = '| a    |   b |\n| ---- | --: |\n| c    |   1 |'
    wide = f'| {"a":130} |   b |\n| {"-" * 130} | --: |\n| {"c  d":130} |  -1 |'
    text = f'two  blanks\n\n{narrow}\n\n{wide}\n\n| no table'
    expected = f'two  blanks\n\n{narrow}\n\n| a | b |\n| -- | --: |\n| c d | -1 |\n\n| no table'
    assert without_padding(text) == expected
