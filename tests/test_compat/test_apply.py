"""compat in real interpreters: environments are made of links to installed packages, with some left out or broken."""

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import numpy as np

from tests.helpers import repo_root

SITE = Path(sysconfig.get_path('purelib'))


class Environment:
    """A folder of links to the installed packages: what is left out of it is really absent."""

    def __init__(self, folder: Path, leave_out: tuple[str, ...] = ()) -> None:
        self.folder = folder
        folder.mkdir()
        for entry in SITE.iterdir():
            name = entry.name.lower()
            if name.startswith(leave_out) or name.startswith(('posestructs', '__editable__')) or name.endswith('.pth'):
                continue
            if name == 'cv2':  # its loader refuses to be a link
                shutil.copytree(entry, folder / entry.name, copy_function=os.link)
            else:
                (folder / entry.name).symlink_to(entry)

    def add(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(textwrap.dedent(text))

    def run(self, *args: str, check: bool = True) -> str:
        env = os.environ | {'PYTHONPATH': f'{self.folder}{os.pathsep}{repo_root()}', 'OMP_NUM_THREADS': '1'}
        # -S: without the site-packages of the running interpreter
        call = [sys.executable, '-S', *args]
        done = subprocess.run(call, env=env, capture_output=True, text=True, cwd=self.folder)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def python(self, code: str, check: bool = True) -> str:
        return self.run('-c', textwrap.dedent(code), check=check)


def test_absent_packages_are_stood_in_for_and_stay_absent(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmdet', 'pkg_resources', 'setuptools'))
    out = env.python("""
        import sys
        import posestructs
        from posestructs import compat
        before = dict(sys.modules)
        compat.apply()  # a second call changes nothing
        assert dict(sys.modules) == before

        from mmpose.registry import MODELS
        for head, package in (('RTMOHead', 'mmdet'), ('EDPoseHead', 'mmcv.ops')):
            try:
                MODELS.build(dict(type=head))
            except ImportError as e:
                assert f'needs {package}' in str(e) and 'pip install' in str(e), e
            else:
                raise AssertionError(head)
        from mmpose.visualization import simcc_vis
        try:
            simcc_vis.ToPILImage()
        except ImportError as e:
            assert 'pip install torchvision' in str(e)

        # everybody else's guards still find the package absent
        for package in ('torchvision', 'mmdet', 'mmdet.apis'):
            try:
                __import__(package)
            except ModuleNotFoundError:
                continue
            raise AssertionError(package)
        import mmpose.apis.inferencers.base_mmpose_inferencer as inferencer
        assert not inferencer.has_mmdet
        from mmpose.models.heads.hybrid_heads import dekr_head
        assert not dekr_head.has_mmcv_full

        # mmengine finds packages without setuptools
        import mmengine
        from mmengine.utils import get_installed_path, is_installed
        assert get_installed_path('mmengine') == mmengine.__path__[0], get_installed_path('mmengine')
        assert is_installed('mmpose') and not is_installed('no-such-package')
        from mmengine.hub import get_config
        assert get_config('mmpose::_base_/default_runtime.py').default_scope == 'mmpose'
        print('all good')
    """)
    assert 'all good' in out
    assert 'Traceback' not in out


def test_working_packages_are_not_replaced(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmdet'))
    env.add('torchvision/__init__.py', '__version__ = "0.99"')
    env.add('torchvision/transforms.py', 'class ToPILImage:\n    real = True')
    env.add('mmdet/__init__.py', '')
    env.add('mmdet/utils.py', 'ConfigType = dict\ndef reduce_mean(x):\n    return x')
    out = env.python("""
        import posestructs, torchvision, mmdet.utils
        from mmpose.visualization import simcc_vis
        from mmpose.models.heads.hybrid_heads import rtmo_head
        assert simcc_vis.ToPILImage is torchvision.transforms.ToPILImage and torchvision.__version__ == '0.99'
        assert rtmo_head.reduce_mean is mmdet.utils.reduce_mean
        try:
            rtmo_head.RTMOHead()
        except TypeError as e:  # its own complaint of missing arguments: the class is mmpose's, untouched
            print('all good', e)
    """)
    assert 'all good' in out


def test_broken_packages_count_as_absent(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmdet'))
    env.add('torchvision/__init__.py', 'raise RuntimeError("operator torchvision::nms does not exist")')
    env.add('mmdet/__init__.py', 'assert False, "MMCV==2.2.0 is used but incompatible"')
    out = env.python("""
        import mmpose  # before posestructs: allowed
        import posestructs
        from mmengine.utils.dl_utils import collect_env
        assert 'TorchVision' not in collect_env()
        import mmpose.apis.inferencers.base_mmpose_inferencer as inferencer
        assert not inferencer.has_mmdet
        print('all good')
    """)
    assert 'all good' in out
    out = env.run('-m', 'posestructs.compat')
    rows, mending = read_report(out)
    assert 'replaced by a stand-in' in rows['torchvision'] and 'torchvision::nms does not exist' in mending
    assert 'replaced by a stand-in' in rows['mmdet'] and 'incompatible' in mending
    assert 'works' in rows['numpy'] and np.__version__ in rows['numpy'] and 'numpy' not in mending
    assert all(len(line) < 100 for line in rows.values())
    assert '\n    pip install torchvision\n' in mending and 'torchvision::nms does not exist), only if you' in mending
    assert 'RuntimeWarning' not in out


def test_posestructs_after_a_failed_import_of_mmpose(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmdet'))
    out = env.python("""
        try:
            import mmpose.models
        except ImportError:
            pass
        else:
            raise AssertionError('nothing to repair here')
        try:
            import mmpose.visualization
        except ImportError:
            pass
        import posestructs
        from mmpose.registry import MODELS, VISUALIZERS
        assert MODELS.get('HeatmapHead') and VISUALIZERS.get('PoseLocalVisualizer')
        print('all good')
    """)
    assert 'all good' in out
    # halfway in a way that nothing can repair: a class is registered already, its module is gone
    out = env.python(
        """
        import sys
        try:
            import mmpose.models
        except ImportError:
            del sys.modules['mmpose.models.heads.base_head'], sys.modules['mmpose.models.backbones.resnet']
            del sys.modules['mmpose.models.backbones']
        import posestructs
        """,
        check=False,
    )
    last = out.strip().splitlines()[-1]
    assert last.startswith('ImportError: mmpose was imported before posestructs and failed halfway'), out
    assert 'Import posestructs before mmpose, in a fresh interpreter' in last


def test_missing_requirements_are_named_in_one_message_with_the_command(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('xtcocotools',))
    env.add('xtcocotools/__init__.py', 'raise ValueError("numpy.dtype size changed, may indicate incompatibility")')
    out = env.python('import posestructs', check=False)
    message = out[out.index('ImportError: posestructs needs packages') :]
    assert 'numpy.dtype size changed' in message and '--no-binary xtcocotools' in message
    report = env.run('-m', 'posestructs.compat', check=False)
    assert 'ModuleNotFoundError' not in report.splitlines()[0] and 'missing' in report and 'broken' in report


def test_absent_requirements_are_named_in_one_message(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('mmpose', 'xtcocotools', 'munkres', 'h5py'))
    out = env.python('import posestructs', check=False)
    message = out[out.index('ImportError: posestructs needs packages') :]
    for part in ('mmpose', 'munkres', 'xtcocotools', 'h5py'):
        assert f'  {part}' in message
    # the order in which the command must install: mmpose last, it imports the others
    order = ['pip install h5py munkres', '--no-binary xtcocotools', 'pip install --no-deps mmpose==1.3.2']
    assert sorted(order, key=message.index) == order
    assert 'numpy ' not in message and 'works' not in message


def read_report(out):
    """Lines of the table by package, and what follows."""
    table, _, rest = out.partition('\n\n')
    return {line.split()[0]: line for line in table.splitlines()}, rest


def distribution(env, name, version):
    env.add(
        f'{name.replace("-", "_")}-{version}.dist-info/METADATA',
        f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n',
    )


def test_distributions_of_onedl_count_and_both_families_are_reported_as_broken(tmp_path):
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmengine-', 'mmcv_lite-', 'onedl_'))
    distribution(env, 'onedl-mmengine', '0.10.12')
    distribution(env, 'onedl-mmcv', '2.3.6')
    rows, mending = read_report(env.run('-m', 'posestructs.compat'))
    assert 'onedl-mmengine 0.10.12' in rows['mmengine'] and 'works' in rows['mmengine']
    assert 'onedl-mmcv 2.3.6' in rows['mmcv'] and 'works' in rows['mmcv'] and '\nbroken:' not in mending
    assert 'pip install onedl-mmengine onedl-mmcv onedl-mmdetection\n' in mending

    distribution(env, 'mmengine', '0.10.7')
    rows, mending = read_report(env.run('-m', 'posestructs.compat', check=False))
    assert 'broken' in rows['mmengine'] and 'mmengine 0.10.7, onedl-mmengine 0.10.12' in rows['mmengine']
    # of the family that the other packages are of
    assert 'pip uninstall -y mmengine onedl-mmengine && pip install onedl-mmengine\n' in mending
    assert '\n\nbroken: mmengine (OpenMMLab) beside onedl-mmengine (OneDL)' in mending
    assert 'exit 1' in env.run(
        '-c',
        'import subprocess, sys; print("exit", subprocess.call([sys.executable, "-S", "-m", "posestructs.compat"]))',
    )


def test_mmcv_lite_beside_the_mmengine_of_onedl_works(tmp_path):
    """They share no file, unlike two distributions of the same package."""
    env = Environment(tmp_path / 'site', leave_out=('torchvision', 'mmengine-', 'mmcv_lite-', 'onedl_'))
    distribution(env, 'onedl-mmengine', '0.10.12')
    distribution(env, 'mmcv-lite', '2.2.0')
    rows, mending = read_report(env.run('-m', 'posestructs.compat'))
    assert 'works' in rows['mmengine'] and 'works' in rows['mmcv'] and '\nbroken:' not in mending

    distribution(env, 'mmcv', '2.2.0')
    distribution(env, 'onedl-mmcv', '2.3.6')
    _, mending = read_report(env.run('-m', 'posestructs.compat', check=False))
    assert '\n\nbroken: mmcv, mmcv-lite (OpenMMLab) beside onedl-mmcv (OneDL)' in mending
    assert 'pip uninstall -y mmcv mmcv-lite onedl-mmcv && pip install onedl-mmcv\n' in mending
