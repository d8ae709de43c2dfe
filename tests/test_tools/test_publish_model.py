"""tools/misc/publish_model.py: what is in the file, that mmpose makes the same of it, and what is refused."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import MODELS

from posestructs.apis.shipped_models import read_models
from posestructs.utils.publishing import local_paths, without_local_paths
from tests.helpers import repo_root

TOOL = 'misc/publish_model.py'
CONFIG = repo_root() / 'configs' / 'adversarial_posenet' / 'apn_2x56_stick-figure-64x64.py'
SAID = ('--command', 'python tools/train.py x.py --seed 0', '--data', 'synthetic figures', '--commit', 'abc1234')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """As a run writes it, of an untrained model."""
    path = tmp_path_factory.mktemp('run') / 'epoch_1.pth'
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(str(CONFIG)).model)
    model.attach_discriminators()
    named = dict(dataset_name='named', num_keypoints=14, flip_indices=list(range(14)))
    meta = dict(epoch=1, iter=7, seed=0, cfg='x', experiment_name='host', dataset_meta=named)
    state = model.state_dict()
    torch.save(dict(meta=meta, state_dict=state, optimizer=dict(a=torch.zeros(9)), message_hub={}), path)
    return path


def test_the_published_file(main, checkpoint, tmp_path, capsys):
    metrics = tmp_path / 'metrics.json'
    metrics.write_text(json.dumps(dict(pck=12.5, folder=f'a/b of {repo_root() / "work_dirs" / "x"}')))
    out = tmp_path / 'apn.pth'
    flags = ('--fp16', '--metrics', metrics, '--about', 'A model.', '--default')
    main(TOOL, CONFIG, checkpoint, '--out', out, *flags, *SAID)
    reported = capsys.readouterr().out
    (path,) = tmp_path.glob('*.pth')
    assert path.name == f'apn-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth' and str(path) in reported
    changed = re.search(r'largest difference of maps (\S+) \(of (\S+)\), of joints (\S+) cells', reported)
    assert 0 < float(changed[1]) < 0.02 * float(changed[2]) and float(changed[3]) <= 1

    full, kept = (torch.load(file, weights_only=True) for file in (checkpoint, path))
    assert set(kept) == {'meta', 'state_dict', 'not_for_mmap'}
    names = [name for name in full['state_dict'] if not name.startswith('discriminators.')]
    assert list(kept['state_dict']) == names and len(names) < len(full['state_dict'])
    for name, value in kept['state_dict'].items():
        original = full['state_dict'][name]
        halved = original.is_floating_point() and original.ndim > 1
        assert value.dtype == (torch.float16 if halved else original.dtype)
        assert torch.equal(value, original.half() if halved else original)

    meta = kept['meta']
    assert set(meta) == {'epoch', 'iter', 'seed', 'dataset_meta', 'cfg', 'release'} and meta['iter'] == 7
    assert meta['release'] == dict(
        name='apn',
        about='A model.',
        config='adversarial_posenet/apn_2x56_stick-figure-64x64.py',
        config_text=CONFIG.read_text(),
        data='synthetic figures',
        command=SAID[1],
        commit='abc1234',
        metrics=dict(pck=12.5, folder='a/b of work_dirs/x'),
        kernels='float16',
        default=True,
    )
    assert str(repo_root()) not in repr(meta)
    assert Config.fromstring(meta['cfg'], '.py').model == Config.fromfile(str(CONFIG)).model
    (shipped,) = read_models(tmp_path).values()
    assert shipped == ('apn', CONFIG, path, 'A model.', SAID[1], 'synthetic figures', 'abc1234', True)

    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    models = [init_model(str(CONFIG), str(file), device='cpu') for file in (checkpoint, path)]
    assert all(value.dtype == torch.float32 for value in models[1].parameters())
    maps = [inference_topdown(model, image)[0].pred_instances.keypoint_scores for model in models]
    np.testing.assert_allclose(maps[0], maps[1], atol=2e-3)


def test_one_file_a_name(main, checkpoint, tmp_path):
    out = tmp_path / 'apn.pth'
    main(TOOL, CONFIG, checkpoint, '--out', out, *SAID)
    (first,) = tmp_path.iterdir()
    size = first.stat().st_size
    assert not read_models(tmp_path)['apn'].default
    assert all(value.dtype != torch.float16 for value in torch.load(first, weights_only=True)['state_dict'].values())
    with pytest.raises(SystemExit, match=f'^publish_model.py: error: --out .*{first.name} is there; remove it, or'):
        main(TOOL, CONFIG, checkpoint, '--out', out, *SAID)
    main(TOOL, CONFIG, checkpoint, '--out', out, '--replace', '--fp16', *SAID)
    (second,) = tmp_path.iterdir()
    assert second != first and second.stat().st_size < 0.7 * size


def test_paths_inside_of_words():
    root, text = '/home/me/posestructs', "# see https://x.org/a/b, and/or '/'\nfile = '{}x.py'  # a // b\n"
    assert local_paths(text) == []
    assert local_paths('x.py /a/b --c=/d PATH=/e:/f "/g h" (/i)') == ['/a/b', '/d', '/e', '/f', '/g', '/i']
    value = dict(
        config=text.format(f'{root}/configs/'), text=[f'python {root}/x.py /home/you/secret.pth -o file:///tmp/']
    )
    assert without_local_paths(value, Path(root)) == dict(
        config=text.format('configs/'), text=['python x.py secret.pth -o tmp/']
    )


def test_the_commit_is_one_that_others_can_get(main, checkpoint, tmp_path, monkeypatch):
    work, out = tmp_path / 'work', tmp_path / 'out' / 'apn.pth'
    work.mkdir(), out.parent.mkdir()
    words = (TOOL, CONFIG, checkpoint, '--out', out, '--replace', *SAID[:4])
    monkeypatch.setenv('GIT_DIR', str(work / '.git'))
    monkeypatch.setenv('GIT_WORK_TREE', str(work))
    with pytest.raises(SystemExit, match='--commit is not given, and that of this checkout is unknown: name that'):
        main(*words)
    (work / 'a').write_text('1')
    who = ('-c', 'user.name=me', '-c', 'user.email=me@example.org')
    for command in (('init', '-q'), ('add', 'a'), (*who, 'commit', '-q', '-m', 'x')):
        subprocess.run(('git', *command), cwd=work, check=True)
    main(*words)
    reported = subprocess.run(('git', 'rev-parse', 'HEAD'), cwd=work, check=True, capture_output=True, text=True).stdout
    clean = read_models(out.parent)['apn'].commit
    assert len(clean) == 7 and reported.startswith(clean)
    (work / 'a').write_text('2')
    with pytest.raises(SystemExit, match=f'--commit is not given, and that of this checkout is {clean}-dirty: name'):
        main(*words)
    assert read_models(out.parent)['apn'].commit == clean


def test_errors_are_one_line_and_leave_nothing(main, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    first = next(name for name, value in content['state_dict'].items() if value.ndim == 4)
    broken, large, text = tmp_path / 'broken.pth', tmp_path / 'large.pth', tmp_path / 'text.json'
    for path, value in ((broken, torch.nan), (large, 1e6)):
        state = dict(content['state_dict'])
        state[first] = torch.full_like(state[first], value)
        torch.save(dict(content, state_dict=state), path)
    # maps that differ by less than a hundredth from cell to cell, which half precision makes nothing of
    flat, state = tmp_path / 'flat.pth', dict(content['state_dict'])
    for name in [name for name in state if re.match(r'head\.stacks\..*\.3\.', name)]:
        state[name] = state[name].sign() * 2e-8 if name.endswith('weight') else torch.full_like(state[name], 1e-4)
    torch.save(dict(content, state_dict=state), flat)
    text.write_text('{')
    other = repo_root() / 'configs' / 'demo' / 'td-hm_res18-small_stick-figure-64x64.py'
    outside = tmp_path / 'outside.py'
    outside.write_text(f"_base_ = '{CONFIG}'\n")
    before = sorted(tmp_path.iterdir())
    out = ['--out', tmp_path / 'new.pth']
    for args, message in [
        ([CONFIG, tmp_path / 'gone.pth', *out], 'gone.pth: no such file'),
        ([CONFIG, 'https://example.org/epoch_1.pth', *out], 'epoch_1.pth: no such file'),
        ([CONFIG, text, *out], 'text.json: it is truncated or not a checkpoint'),
        ([CONFIG, checkpoint, '--out', tmp_path / 'new.txt'], r'new.txt: the name has to end in \.pth'),
        ([CONFIG, checkpoint, *out, '--metrics', text], 'text.json: no json'),
        (
            [CONFIG, checkpoint, *out, '--max-mb', '0.5'],
            r'\d.\d\d MB, more than --max-mb 0.5; --fp16 halves it',
        ),
        ([outside, checkpoint, *out], 'outside.py is not below .*configs'),
        ([other, checkpoint, *out], 'does not match config'),
        ([CONFIG, broken, *out], 'holds NaN or infinity'),
        (
            [CONFIG, flat, *out, '--fp16'],
            r'would not be the same: largest difference of maps \S+e-0[678] \(of 0.0001\), of joints \d\d? cells',
        ),
        ([CONFIG, checkpoint, *out, '--about', 'Of /home/me/x.'], '--about names /home/me/x., a path of this machine'),
        ([CONFIG, checkpoint, *out, '--command', 'python x.py --data=/home/me/s.py'], '--command names /home/me/s.py'),
        ([CONFIG, checkpoint, *out, '--data', 'persons of "/data/lsp"'], '--data names /data/lsp, a path'),
        ([CONFIG, large, *out, '--fp16'], f'weight {first} reaches 1e.06, float16 ends at 65504'),
    ]:
        with pytest.raises(SystemExit, match=f'(?s)^publish_model.py: error: .*{message}'):
            main(TOOL, *SAID, *args)
    assert sorted(tmp_path.iterdir()) == before
