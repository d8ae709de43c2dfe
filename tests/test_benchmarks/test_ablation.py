"""The comparison trains and scores real configs, and repeats no finished run."""

import json
import sys

import pytest

from benchmarks import ablation
from tests.helpers import repo_root
from tests.helpers.tools import run_main

ROOT = repo_root()

CONFIG = 'configs/demo/td-hm_res18-small_stick-figure-64x64.py'
SMALL = [
    'train_dataloader.dataset.num_samples=8',
    'val_dataloader.dataset.num_samples=4',
    'test_dataloader.dataset.num_samples=4',
    'train_dataloader.batch_size=4',
    *(
        f'{part}_dataloader.{key}'
        for part in ('train', 'val', 'test')
        for key in ('num_workers=0', 'persistent_workers=False')
    ),
    'model.backbone.base_channels=8',
    'model.head.in_channels=32',
]


@pytest.fixture
def compare(monkeypatch, capsys):
    """The command in this process, and its tools too, which saves an import of everything for each."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(ablation, 'run', lambda tool, *words: run_main(tool.removeprefix('tools/'), *words))

    def compare(*words):
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'argv', ['ablation.py', *map(str, words)])
            ablation.main()
        return capsys.readouterr().out

    return compare


def test_two_runs_are_compared_and_not_repeated(compare, tmp_path):
    twin = tmp_path / 'narrow.py'
    # it is tested on other samples than it is validated on
    twin.write_text(
        f"_base_ = '{ROOT / CONFIG}'\nmodel = dict(head=dict(deconv_out_channels=(8, 8, 8)))\n"
        'test_dataloader = dict(dataset=dict(start_index=500))\n'
    )
    out, work = tmp_path / 'out.json', tmp_path / 'work'
    words = [CONFIG, twin, '--work-dir', work, '--out', out, '--cfg-options', *SMALL]
    printed = compare(*words)
    wide, narrow = json.loads(out.read_text())
    assert wide['config'] == CONFIG and narrow['config'] == str(twin)
    # 3x3 and 4x4 kernels of the same network, 64 or 8 filters in its head
    assert wide['parameters'] > narrow['parameters'] > 0
    assert wide['seed'] == narrow['seed'] == 0 and wide['fingerprint'] != narrow['fingerprint']
    (folder,) = work.glob('narrow_seed0_*')
    scored = json.loads((folder / 'metrics.json').read_text())
    assert narrow['metrics'] == pytest.approx(scored, rel=1e-5) and 'StrictPCP@0.5' in scored
    assert wide['machine']['torch'] and wide['machine']['commit'] != ''
    # the figures of the validation samples are those of a test on them
    (checkpoint,) = folder.glob('epoch_*.pth')
    flags = ['--work-dir', tmp_path / 'test', '--out', tmp_path / 'val.json']
    run_main('test.py', twin, checkpoint, *flags, '--cfg-options', *SMALL, 'test_dataloader.dataset.start_index=0')
    val = json.loads((tmp_path / 'val.json').read_text())
    assert narrow['val_metrics'] == pytest.approx(val, rel=1e-5) and val != scored
    assert 'val_metrics' not in wide
    header, _, _, last_line = printed.strip().splitlines()[-4:]
    assert last_line.startswith('| narrow ') and f'{scored["StrictPCP@0.5"]:.1f}' in last_line
    assert header.split('|')[-2].strip() == 'StrictPCP@0.5, validation'
    assert last_line.split('|')[-2].strip() == f'{narrow["val_metrics"]["StrictPCP@0.5"]:.1f}'

    stamps = {p: p.stat().st_mtime_ns for p in work.rglob('*.pth')}
    again = compare(*words)
    assert again.count('finished before') == 2
    assert stamps == {p: p.stat().st_mtime_ns for p in work.rglob('*.pth')}
    assert again.strip().splitlines()[-1] == last_line


def test_table_of_hand_made_results():
    results = [
        dict(config='a/one.py', parameters=1_234_000, metrics={'StrictPCP@0.5': 12.34, 'occluded/TorsoPCK@0.2': 5.0}),
        dict(config='two.py', parameters=500, metrics={'StrictPCP@0.5': 100.0}),
    ]
    lines = [[c.strip() for c in line.strip('|').split('|')] for line in ablation.table(results).splitlines()]
    assert lines[0] == ['model', 'parameters', 'StrictPCP@0.5', 'occluded/TorsoPCK@0.2']
    assert lines[2:] == [['one', '1.23 M', '12.3', '5.0'], ['two', '0.00 M', '100.0', '-']]


def test_another_seed_or_option_is_another_run_and_resumes_nothing_of_the_first(tmp_path):
    def folder(options=(), seed=0):
        return ablation.run_folder(CONFIG, ablation.read_config(CONFIG, list(options)), seed, tmp_path)

    assert folder() == folder()
    assert len({folder(), folder(seed=1), folder(['train_cfg.max_epochs=2'])}) == 3


def test_configs_of_one_name_are_refused(compare, tmp_path):
    twin = tmp_path / CONFIG.split('/')[-1]
    twin.write_text(f"_base_ = '{ROOT / CONFIG}'\n")
    with pytest.raises(SystemExit, match='allowed: files of different names'):
        compare(CONFIG, twin)


def test_a_command_that_fails_ends_the_comparison(capfd):
    with pytest.raises(SystemExit) as ended:
        ablation.run('-c', 'print("ran"); raise SystemExit(3)')
    assert ended.value.code == 3 and "$ python -c 'print" in (out := capfd.readouterr().out) and out.endswith('ran\n')
