"""Models in demo/checkpoints, and files that do not belong there."""

import hashlib
import importlib
import logging

import torch
from mmengine.config import Config

from posestructs.apis import shipped_models
from posestructs.apis.shipped_models import checkpoint_folder, read_models
from posestructs.utils.publishing import release_checkpoint
from tests.helpers import repo_root

CONFIG = 'baseline/td-hm_res18_lspet-mini-128x128.py'


def publish(path, **release):
    path.write_bytes(release_checkpoint(dict(a=torch.zeros(1)), {}, '', release))


def test_the_shipped_files_are_whole_small_and_have_their_configs():
    assert checkpoint_folder() == repo_root() / 'demo' / 'checkpoints'
    models = shipped_models()
    assert 1 <= len(models) == len(list(checkpoint_folder().glob('*.pth')))
    assert all(model.checkpoint.stat().st_size <= 5e6 for model in models.values())
    for name, model in models.items():
        digest = hashlib.sha256(model.checkpoint.read_bytes()).hexdigest()[:8]
        assert model.checkpoint.name == f'{name}-{digest}.pth' and model.name == name and model.about
        release = torch.load(model.checkpoint, weights_only=True)['meta']['release']
        assert Config.fromfile(str(model.config)).model.type and release['command'] and release['commit'] != 'unknown'


def test_models_are_listed_by_name_and_others_passed_over(tmp_path, monkeypatch):
    publish(tmp_path / 'b-00000000.pth', name='b', config=CONFIG, about='Second.', command='c', data='d', commit='e')
    publish(tmp_path / 'a-00000000.pth', name='a', config=CONFIG)
    publish(tmp_path / 'lost.pth', name='lost', config='no/such.py')
    publish(tmp_path / 'nameless.pth')
    torch.save(torch.zeros(1), tmp_path / 'tensor.pth')
    (tmp_path / 'damaged.pth').write_bytes(b'PK')
    (tmp_path / 'notes.txt').write_text('x')
    reported = []
    monkeypatch.setattr(
        # the package has a function of the module's name
        importlib.import_module('posestructs.apis.shipped_models'),
        'print_log',
        lambda text, logger, level: reported.append((text, level)),
    )
    models = read_models(tmp_path)
    assert list(models) == ['a', 'b'] and models['b'].about == 'Second.' and models['a'].about == ''
    assert models['b'][4:] == ('c', 'd', 'e', False) and models['a'][4:] == ('', '', '', False)
    assert models['a'].config == repo_root() / 'configs' / CONFIG
    assert models['b'].checkpoint == tmp_path / 'b-00000000.pth'
    texts = [text.removeprefix(f'{tmp_path}/') for text, level in reported if level == logging.WARNING]
    assert len(texts) == len(reported) == 4
    assert texts[0].startswith('damaged.pth is skipped: ')
    assert texts[1] == 'lost.pth is skipped: its config, configs/no/such.py, does not exist'
    assert texts[2] == 'nameless.pth is skipped: it was not written by tools/misc/publish_model.py'
    assert texts[3].startswith('tensor.pth is skipped: ')


def test_the_default_is_first(tmp_path):
    for name, default in dict(a=False, b=True, c=None, d=True).items():
        publish(tmp_path / f'{name}-00000000.pth', name=name, config=CONFIG, default=default)
    assert list(read_models(tmp_path)) == ['b', 'd', 'a', 'c']


def test_an_empty_folder_has_none(tmp_path):
    assert read_models(tmp_path / 'absent') == {}
