"""The comparison trains and scores real configs, goes on after a kill and does nothing twice."""

import importlib.util
import json
import subprocess
import sys

from tests.helpers import repo_root

ROOT = repo_root()
spec = importlib.util.spec_from_file_location('ablation', ROOT / 'benchmarks' / 'ablation.py')
ablation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ablation)

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


def test_two_runs_side_by_side_and_not_done_twice(tmp_path):
    twin = tmp_path / 'narrow.py'
    # its test people are others than those it validates on
    twin.write_text(
        f"_base_ = '{ROOT / CONFIG}'\nmodel = dict(head=dict(deconv_out_channels=(8, 8, 8)))\n"
        'test_dataloader = dict(dataset=dict(start_index=500))\n'
    )
    out, work = tmp_path / 'out.json', tmp_path / 'work'
    command = [sys.executable, 'benchmarks/ablation.py', CONFIG, str(twin), '--work-dir', str(work), '--out', str(out)]
    done = subprocess.run([*command, '--cfg-options', *SMALL], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    wide, narrow = json.loads(out.read_text())
    assert wide['config'] == CONFIG and narrow['config'] == str(twin)
    # 3x3 and 4x4 kernels of the same network, 64 or 8 filters in its head
    assert wide['parameters'] > narrow['parameters'] > 0
    assert wide['seed'] == narrow['seed'] == 0 and wide['fingerprint'] != narrow['fingerprint']
    (folder,) = work.glob('narrow_seed0_*')
    scored = json.loads((folder / 'metrics.json').read_text())
    assert narrow['metrics'] == scored and 'StrictPCP@0.5' in scored
    assert wide['machine']['torch'] and wide['machine']['commit'] != ''
    # the validation people's figures are those that a test of them gives
    with_them = [*SMALL, 'test_dataloader.dataset.start_index=0', '--out', str(tmp_path / 'val.json')]
    (checkpoint,) = folder.glob('epoch_*.pth')
    test = [sys.executable, 'tools/test.py', str(twin), str(checkpoint), '--work-dir', str(tmp_path / 'test')]
    subprocess.run([*test, '--cfg-options', *with_them], cwd=ROOT, check=True, capture_output=True, timeout=300)
    assert narrow['val_metrics'] == json.loads((tmp_path / 'val.json').read_text()) != scored
    assert 'val_metrics' not in wide
    header, _, _, last_line = done.stdout.strip().splitlines()[-4:]
    assert last_line.startswith('| narrow ') and f'{scored["StrictPCP@0.5"]:.1f}' in last_line
    assert header.split('|')[-2].strip() == 'StrictPCP@0.5, validation'
    assert last_line.split('|')[-2].strip() == f'{narrow["val_metrics"]["StrictPCP@0.5"]:.1f}'

    stamps = {p: p.stat().st_mtime_ns for p in work.rglob('*.pth')}
    again = subprocess.run([*command, '--cfg-options', *SMALL], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0 and again.stdout.count('finished before') == 2
    assert stamps == {p: p.stat().st_mtime_ns for p in work.rglob('*.pth')}
    assert again.stdout.strip().splitlines()[-1] == last_line


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


def test_configs_of_one_name_are_refused(tmp_path):
    twin = tmp_path / CONFIG.split('/')[-1]
    twin.write_text(f"_base_ = '{ROOT / CONFIG}'\n")
    command = [sys.executable, 'benchmarks/ablation.py', CONFIG, str(twin)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and 'two configs of one name' in done.stderr
