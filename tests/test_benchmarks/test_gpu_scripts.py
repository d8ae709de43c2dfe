"""Scripts for a GPU: their commands are valid, and a part that fails or hangs does not stop the others."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from benchmarks import accuracy, adversarial_step, message_passing
from benchmarks.grid.experiment import make_config
from benchmarks.grid.grids import GRIDS
from benchmarks.grid.rows import BY_NAME
from posestructs.utils.nested import walk_dicts
from tests.helpers import data_root, repo_root

ROOT = repo_root()
SCRIPT = ROOT / 'benchmarks' / 'gpu' / 'shipped_model.sh'
# records its calls; writes a checkpoint and a result for trainings, fails in the tests; message_passing.py hangs
STAND_IN = """#!/bin/bash
[ "$1" = -c ] && exec {python} "$@"
printf '%s\\0' "$@" >> "$CALLS"; printf '\\n' >> "$CALLS"
echo "output of $2"
case "$*" in
*'-m pytest'*) exit 3 ;;
*message_passing.py*) [ -n "${{HANGS:-}}" ] || sleep 60 ;;
esac
while [ $# -gt 0 ]; do
    case $1 in --out) out=$2 ;; --work-dir) runs=$2 ;; esac
    shift
done
if [ -n "${{runs:-}}" ]; then
    mkdir -p "$out/grid"
    echo '{{"epochs": 2, "seconds": {{"train": 20}}}}' > "$out/grid/strong-true_seed0.json"
    for row in true none; do
        mkdir -p "$runs/grid/strong-${{row}}_seed0_a"
        [ -z "$CHECKPOINT" ] || cp "$CHECKPOINT" "$runs/grid/strong-${{row}}_seed0_a/epoch_9.pth"
    done
elif [ -n "${{out:-}}" ]; then echo '{{}}' > "$out"; fi
"""


@pytest.fixture
def run(tmp_path):
    """Run the script with a stand-in for Python; returns the calls and the folder of the results."""
    stand_in = tmp_path / 'bin' / 'python3'
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN.format(python=sys.executable))
    stand_in.chmod(0o755)

    def run(*parts, **variables):
        out, calls = tmp_path / 'out', tmp_path / 'calls'
        paths = dict(CALLS=str(calls), CHECKPOINT='')
        path = f'{stand_in.parent}{os.pathsep}{os.environ["PATH"]}'
        env = {**os.environ, 'PATH': path, **paths, **variables}
        done = subprocess.run([SCRIPT, out, *parts], cwd=ROOT, env=env, capture_output=True, text=True)
        lines = calls.read_bytes().split(b'\n')[:-1] if calls.is_file() else []
        return done, [line.decode().split('\0')[:-1] for line in lines], out

    return run


def test_a_part_that_fails_does_not_stop_the_others(run, tmp_path):
    checkpoint = tmp_path / 'checkpoint.pth'
    torch.save(dict(state_dict=dict(a=torch.ones(2)), optimizer=dict(b=torch.ones(9))), checkpoint)
    done, calls, out = run('tests', 'model', CHECKPOINT=str(checkpoint))
    lines = [line for line in done.stdout.splitlines() if 'status' in line]
    assert lines == ['== tests: status 3', '== model: status 0'] and done.returncode == 1
    # 170 s for two trainings, 10 s an epoch
    ((model,)) = [call for call in calls if any('model-256' in word for word in call)]
    assert model[model.index('--epochs') + 1] == '8'
    assert sorted(path.name for path in out.iterdir()) == ['log.txt', 'none.pth', 'results.tar.gz', 'true.pth']
    assert list(torch.load(out / 'true.pth')) == ['state_dict']
    with tarfile.open(out / 'results.tar.gz') as archive:
        names = [name for name in archive.getnames() if name.endswith('.json')]
    assert {name.split('/')[1] for name in names} == {'trial', 'model-256'}
    assert 'output of pytest' not in done.stdout and '== model' in (out / 'log.txt').read_text()


@pytest.mark.parametrize('variables', [{}, dict(REHEARSE='20')], ids=['full', 'rehearsal'])
def test_flags_are_those_of_the_commands(variables, run, monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    monkeypatch.setattr(accuracy, 'has_accelerator', lambda: True)
    _, calls, _ = run('model', 'grid', **variables)
    assert len(calls) == (2 if variables else 3)
    for call in calls:
        monkeypatch.setattr(sys, 'argv', [call[0], *call[1:]])
        args = accuracy.parse_args()
        ((data, rows),) = accuracy.choose(args)
        settings = accuracy.settings_of(args)
        assert settings.bf16 == (not variables) and all(row.name in call for row in rows)
        cfg = make_config(GRIDS['structure'][data], BY_NAME['strong-none'], 0, settings)
        sizes = list(read_sizes(cfg, 'input_size')), list(read_sizes(cfg, 'heatmap_size'))
        big = 'structure' not in call[call.index('--out') + 1]
        assert set(sizes[0]) == {(256, 256) if big else (192, 192)}, sizes
        assert set(sizes[1]) == {(64, 64) if big else (48, 48)}
        if variables:
            assert (settings.epochs, settings.epoch_images) == (1, 320)


def read_sizes(cfg: Config, key):
    """Values of a key in pipelines and decoder."""
    whole = cfg.to_dict()
    for name in ('train_dataloader', 'test_dataloader', 'model'):
        yield from (tuple(part[key]) for part in walk_dicts(whole[name]) if key in part)


def test_flags_of_the_speed_tables(run, monkeypatch):
    done, calls, _ = run('speed', 'tests', LIMIT='1', REHEARSE='20')
    # message_passing.py hangs
    lines = [line for line in done.stdout.splitlines() if 'status' in line]
    assert lines[0] == '== speed: status 124' and len(lines) == 2
    for call in calls[:1]:
        assert message_passing.parse_args(call[1:]).cells == [13]
    for variables in ({}, dict(REHEARSE='20')):
        _, calls, _ = run('speed', HANGS='no', **variables)
        monkeypatch.setattr(sys, 'argv', calls[-1])
        args = adversarial_step.parse_args()
        assert args.device == ('cpu' if variables else 'cuda') and Path(args.config).is_file()
        assert 'max_sum.py' in calls[-2][0]


def test_unknown_parts_are_refused(run):
    done, calls, _ = run('tests', 'speeds')
    assert done.returncode == 2 and 'part speeds, allowed: tests model grid speed' in done.stderr and not calls
