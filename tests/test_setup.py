"""Installing into an environment that is complete already changes nothing of it, and the installed package works."""

import json
import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.helpers import repo_root

SITE = Path(sysconfig.get_path('purelib'))


def shell(*call, cwd, check=True):
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    done = subprocess.run([str(c) for c in call], cwd=cwd, env=env, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of the project's files, since building writes into the source folder."""
    folder = tmp_path_factory.mktemp('source') / 'posestructs'
    ignore = shutil.ignore_patterns('.git', '.venv*', 'work_dirs', '*.egg-info', '__pycache__', 'build', 'shared')
    shutil.copytree(repo_root(), folder, symlinks=True, ignore=ignore)
    return folder


@pytest.fixture(scope='module')
def complete(tmp_path_factory):
    """An environment with all of ours but posestructs, and packages named as a full OpenMMLab stack has them."""
    folder = tmp_path_factory.mktemp('env') / 'venv'
    venv.create(folder, with_pip=True)
    python = folder / 'bin' / 'python'
    site = Path(shell(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=folder).strip())
    for entry in SITE.iterdir():
        name = entry.name.lower()
        taken = (site / entry.name).exists() or name.startswith(('posestructs', '__editable__', 'pip-'))
        if taken or name.endswith('.pth'):
            continue
        if name == 'cv2':  # its loader refuses to be a link
            shutil.copytree(entry, site / entry.name, copy_function=os.link)
        else:
            (site / entry.name).symlink_to(entry)
    for name in ('torchvision', 'mmdet'):
        (site / f'{name}-0.99.dist-info').mkdir()
        (site / f'{name}-0.99.dist-info' / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {name}\nVersion: 0.99\n'
        )
        (site / name).mkdir()
        (site / name / '__init__.py').write_text('__version__ = "0.99"\n')
    (site / 'torchvision' / 'transforms.py').write_text('class ToPILImage: ...\n')
    (site / 'mmdet' / 'utils.py').write_text('ConfigType = dict\nreduce_mean = abs\n')
    return python


@pytest.mark.slow
def test_installing_changes_no_package_and_works_with_them(source, complete, tmp_path):
    def packages():
        return set(shell(complete, '-m', 'pip', 'list', '--format=freeze', cwd=tmp_path).split())

    before = packages()
    assert {'mmdet==0.99', 'torchvision==0.99'} <= before
    # without an index: whatever pip wanted to add or replace would fail
    shell(complete, '-m', 'pip', 'install', '--no-index', '--no-build-isolation', source, cwd=tmp_path)
    assert {p.split('==')[0] for p in packages() - before} == {'posestructs'}
    assert before <= packages()

    out = shell(
        complete,
        '-c',
        """
import posestructs, torchvision, mmdet.utils
from pathlib import Path
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from mmpose.models.heads.hybrid_heads import rtmo_head
from mmpose.visualization import simcc_vis
from posestructs.utils.paths import config_root

assert simcc_vis.ToPILImage is torchvision.transforms.ToPILImage
assert rtmo_head.reduce_mean is mmdet.utils.reduce_mean
root = config_root()
package = Path(posestructs.__file__).parent
assert root.is_relative_to(package) and not root.is_symlink()
assert (package / 'py.typed').is_file() and (package / 'compat' / 'exec_names' / 'sitecustomize.py').is_file()
assert list((root.parent / 'demo' / 'checkpoints').glob('*.pth')) and (root / 'structured_feature/README.md').is_file()
cfg = Config.fromfile(root / 'baseline' / 'td-hm_res18_lspet-mini-128x128.py')
init_default_scope('mmpose')
model = MODELS.build(cfg.model)
print('installed and usable', cfg.train_dataloader.dataset.type)
""",
        cwd=tmp_path,
    )
    assert 'installed and usable LSPDataset' in out

    image = repo_root() / 'demo' / 'images' / 'skier.jpg'
    shell(complete, '-m', 'posestructs', 'inference', image, '--out-dir', 'out', cwd=tmp_path)
    (person,) = json.loads((tmp_path / 'out' / 'predictions' / 'skier.json').read_text())
    assert len(person['keypoints']) == 14


def test_the_parent_folder_of_an_editable_checkout(source, complete, tmp_path):
    """The checkout, named as the package, must not be taken for it there."""
    flags = ['--no-index', '--no-deps', '--no-build-isolation', '--quiet']
    shell(complete, '-m', 'pip', 'install', *flags, '-e', source, cwd=tmp_path)
    assert source.name == 'posestructs'
    code = 'import posestructs, mmpose.models; print(posestructs.__file__)'
    assert str(source / 'posestructs' / '__init__.py') in shell(complete, '-c', code, cwd=source.parent)
    assert 'train ' in shell(complete, '-m', 'posestructs', '--help', cwd=source.parent)
    command = complete.parent / 'posestructs'
    assert shell(command, '--version', cwd=source.parent).startswith('posestructs ')
    assert (source / 'posestructs' / 'py.typed').is_file()
