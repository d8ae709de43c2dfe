"""tools/train.py: real runs on the five persons of mpii-sample, and each error before anything is written."""

import re
import sys

import pytest
import torch
from mmpose.registry import MODELS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers import needs_data

pytestmark = needs_data
PRETRAINED = ['model.backbone.init_cfg.type=Pretrained', 'model.backbone.init_cfg.checkpoint=gone.pth']


@pytest.fixture(scope='module')
def piped(command, tiny, tmp_path_factory):
    cwd = tmp_path_factory.mktemp('piped')
    done = command('train.py', tiny, '--seed', '3', '--tensorboard', cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, cwd / 'work_dirs' / tiny.stem


def test_work_dir_is_named_after_the_config(piped):
    _, work_dir = piped
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_2.pth')
    assert sorted(f.name for f in work_dir.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']
    assert not list(work_dir.glob('.*'))


def test_a_pipe_gets_plain_lines(piped):
    output, work_dir = piped
    lines = [line for line in output.splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 6  # two epochs of three batches
    form = r'Epoch\(train\) +\[[12]\]\[[123]/3\]  loss: \d\S*  PCK: \d+\.\d  img/s: \d+\.\d  eta: \d:\d\d:\d\d$'
    assert all(re.search(form, line) for line in lines), lines
    assert '━' not in output and '\x1b[2K' not in output
    assert 'System environment' not in output and 'custom_hooks' not in output
    (log,) = work_dir.glob('*/*.log')
    assert f'environment, config and all values: {log}' in output
    kept = log.read_text()
    assert 'System environment' in kept and 'custom_hooks' in kept and kept.count('data_time') >= 6


def test_checkpoint_loads_safely(piped, scalars):
    _, work_dir = piped
    content = torch.load(work_dir / 'epoch_2.pth', weights_only=True)
    assert (content['meta']['epoch'], content['meta']['iter'], content['meta']['seed']) == (2, 6, 3)
    epe = [row['EPE'] for row in scalars(work_dir) if 'EPE' in row]
    assert len(epe) == 2 and all(0 < value < 1000 for value in epe)


def test_tensorboard_holds_the_losses(piped, scalars):
    _, work_dir = piped
    folder = next(work_dir.glob('*/vis_data'))
    events = EventAccumulator(str(folder))
    events.Reload()
    logged = [row['loss'] for row in scalars(work_dir) if 'loss' in row]
    assert [event.value for event in events.Scalars('loss')] == pytest.approx(logged, rel=1e-5)


def test_seed_decides_the_weights(piped, main, tiny, tmp_path, scalars):
    short = ['--no-validate', '--cfg-options', 'train_cfg.max_epochs=1']
    main('train.py', tiny, '--work-dir', tmp_path / 'same', '--seed', 3, *short)
    main('train.py', tiny, '--work-dir', tmp_path / 'other', '--seed', 4, *short)
    first, same, other = (scalars(d)[0]['loss'] for d in (piped[1], tmp_path / 'same', tmp_path / 'other'))
    assert same == pytest.approx(first, rel=1e-6)
    assert other != pytest.approx(first, rel=1e-3)
    assert not any('EPE' in row for row in scalars(tmp_path / 'same'))  # --no-validate


def test_a_seed_per_rank_needs_no_seed_in_the_config(piped, main, tiny, tmp_path):
    config = tmp_path / 'ranks.py'
    config.write_text(f"_base_ = ['{tiny}']\nrandomness = dict(diff_rank_seed=True)\n")
    main('train.py', config, '--work-dir', tmp_path, '--no-validate', '--cfg-options', 'train_cfg.max_epochs=1')
    drawn = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['meta']['seed']
    assert isinstance(drawn, int)
    main('test.py', config, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path)


def test_auto_scale_lr_and_show_dir(main, tiny, tmp_path, scalars):
    config = tmp_path / 'scaled.py'
    config.write_text(f"_base_ = ['{tiny}']\nauto_scale_lr = dict(base_batch_size=8)\n")
    flags = ['--auto-scale-lr', '--show-dir', 'drawn', '--interval', 2]
    main('train.py', config, '--work-dir', tmp_path / 'w', *flags, '--cfg-options', 'train_cfg.max_epochs=1')
    assert scalars(tmp_path / 'w')[0]['lr'] == pytest.approx(1e-3 * 2 / 8)  # batches of 2
    # validation's three batches count on from iteration 3, and every second is drawn
    names = sorted(f.name for f in (tmp_path / 'w').glob('*/vis_data/vis_image/*.png'))
    assert names == ['val_img_4.png', 'val_maps_4.png']


def test_resume_with_nothing_to_resume_starts_as_configured(piped, main, tiny, tmp_path, capfd):
    config = tmp_path / 'finetune.py'
    config.write_text(f"_base_ = ['{tiny}']\nload_from = '{piped[1] / 'epoch_1.pth'}'\n")
    options = ['--no-validate', '--cfg-options', 'train_cfg.max_epochs=1']
    main('train.py', config, '--work-dir', tmp_path / 'w', '--resume', *options)
    output = capfd.readouterr().out
    assert f'nothing to resume in {tmp_path / "w"}: training starts from {piped[1] / "epoch_1.pth"}' in output
    assert f'from path: {piped[1] / "epoch_1.pth"}' in output and 'resumed epoch' not in output
    assert (tmp_path / 'w' / 'epoch_1.pth').is_file()


def test_amp(main, tiny, tmp_path):
    main('train.py', tiny, '--work-dir', tmp_path, '--amp', '--no-validate', '--cfg-options', 'train_cfg.max_epochs=1')
    content = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert all(value.isfinite().all() for value in content['state_dict'].values())
    if torch.cuda.is_available():
        assert content['optimizer']['loss_scaler']['scale'] > 0
    else:
        assert "type='CPUAmpOptimWrapper'" in content['meta']['cfg']


def test_channels_last_changes_the_layout_alone(main, tiny, tmp_path):
    flags = ['--no-validate', '--seed', 0, '--cfg-options', 'train_cfg.max_epochs=1']
    found = []
    for name, flag in (('plain', []), ('last', ['--channels-last'])):
        main('train.py', tiny, '--work-dir', tmp_path / name, *flag, *flags)
        found.append(torch.load(tmp_path / name / 'epoch_1.pth', weights_only=True)['state_dict'])
    plain, last = found
    wide = [key for key, value in plain.items() if value.dim() == 4 and min(value.shape[1:]) > 1]
    assert wide and all(plain[key].is_contiguous() and not last[key].is_contiguous() for key in wide)
    for key, value in plain.items():
        torch.testing.assert_close(last[key], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    'args, message',
    [
        (['absent.py'], 'config absent.py does not exist'),
        (['nopackage::a.py'], 'no package nopackage is installed'),
        (['mmpose::body/absent.py'], r'config .*mmpose/.mim/configs/body/absent.py does not exist'),
        (['TINY', '--resume', 'gone.pth'], '--resume gone.pth: no such file'),
        (['TINY', '--resume', 'text.pth'], '--resume text.pth: it is truncated or not a checkpoint'),
        (['TINY', '--resume', 'weights.pth'], '--resume weights.pth: it holds no meta and no message_hub'),
        (['TINY', '--resume', '--work-dir', 'spoilt'], 'no checkpoint in spoilt can be resumed: .*epoch_1.pth'),
        (['TINY', '--show'], '--show needs a display .* use --show-dir'),
        (['TINY', '--auto-scale-lr'], r'sets no auto_scale_lr=dict\(base_batch_size=...\)'),
        (['TINY', '--launcher', 'pytorch'], 'RANK and WORLD_SIZE not set.*dist_'),
        (['TINY', '--launcher', 'slurm'], 'SLURM_PROCID and SLURM_NTASKS not set'),
        (['TINY', '--cfg-options', 'optim_wrapper=None'], 'sets no optim_wrapper'),
        (
            [
                'TINY',
                '--cfg-options',
                *(f'model.backbone.init_cfg.{x}' for x in ('type=Pretrained', 'checkpoint=no.pth')),
            ],
            "model.backbone.init_cfg.checkpoint='no.pth': no such file",
        ),
        (['TINY', '--tensorboard'], 'pip install tensorboard'),
        (['TINY', '--load-from', 'a.pth', '--resume'], '--load-from starts anew and --resume goes on'),
        (['TINY', '--work-dir', '/proc/nope'], '--work-dir /proc/nope: cannot be written to'),
        (['TINY', '--cfg-options', 'train_dataloder.batch_size=2'], 'train_dataloder, did you mean train_dataloader'),
        (['TINY', '--cfg-options', 'optim_wrapper.optimizer.lr=-1'], 'optim_wrapper.optimizer.lr=-1, allowed'),
        (['TINY', '--cfg-options', 'default_hooks.checkpoint.interval=x'], "CheckpointHook.interval='x', allowed"),
        (['TINY', '--cfg-options', 'visualizer.radius=-1'], 'OcclusionLocalVisualizer.radius=-1, allowed'),
        (['TINY', '--cfg-options', 'model.head.out_channels=17'], 'predicts 17 joints, and train_dataloader.* has 16'),
        (['TINY', '--load-from', 'gone.pth'], 'load_from gone.pth: no such file'),
        (['TINY', '--cfg-options', *PRETRAINED], "model.backbone.init_cfg.checkpoint='gone.pth': no such file"),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_errors_leave_nothing_behind(args, message, main, tiny, tmp_path, monkeypatch):
    if '--tensorboard' in args:
        monkeypatch.setitem(sys.modules, 'tensorboard', None)  # as if it were not installed
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'text.pth').write_text('no checkpoint')
    (tmp_path / 'spoilt').mkdir()
    (tmp_path / 'spoilt' / 'epoch_1.pth').write_bytes(b'PK\x03\x04 half a zip')
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(SystemExit, match=f'^train.py: error: .*{message}') as error:
        main('train.py', *[tiny if word == 'TINY' else word for word in args])
    assert sorted(tmp_path.rglob('*')) == before
    assert isinstance(error.value.code, str)  # Python prints it to stderr, and the status is 1


@pytest.mark.parametrize('way', ['init_cfg', '--load-from'])
def test_a_checkpoint_without_some_weights_of_the_backbone(way, main, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = MODELS.build(dict(type='MoveNetBackbone', out_indices=(3,))).state_dict()
    prefix = '' if way == 'init_cfg' else 'backbone.'
    cut = {prefix + name: value for name, value in state.items() if not name.startswith('stages.3.')}
    torch.save(dict(state_dict=cut), 'cut.pth')
    init_cfg = "dict(type='Pretrained', checkpoint='cut.pth')" if way == 'init_cfg' else None
    backbone = f"dict(_delete_=True, type='MoveNetBackbone', out_indices=(3,), init_cfg={init_cfg})"
    (tmp_path / 'config.py').write_text(
        f"_base_ = ['{tiny}']\nmodel = dict(backbone={backbone}, head=dict(in_channels=96))\n"
    )
    source = "init_cfg.checkpoint='cut.pth'" if way == 'init_cfg' else 'checkpoint cut.pth'
    message = rf'{source} cannot be loaded: .*24 of \d+ weights are missing or have another shape, first [^\n]*$'
    with pytest.raises(SystemExit, match=f'^train.py: error: {message}'):
        main('train.py', 'config.py', '--work-dir', 'run', *([way, 'cut.pth'] if way == '--load-from' else []))
    assert not (tmp_path / 'run').exists()
