"""The counts of a real data set with a truncated image, through a real run."""

import shutil

import numpy as np
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from scipy.io import loadmat, savemat

from tests.helpers import data_root, needs_data
from tests.helpers.tiny_model import CROP, PACK, TARGETS, tiny_model


@needs_data
def test_a_truncated_image_is_counted_in_the_log(tmp_path):
    source, images = data_root() / 'lspet-mini', tmp_path / 'images'
    images.mkdir()
    names = (source / 'train.txt').read_text().split()[:8]
    numbers = [int(''.join(c for c in name if c.isdigit())) for name in names]
    for number in numbers:
        shutil.copy(source / 'images' / f'im{number:05d}.jpg', images)
    bad = images / f'im{numbers[3]:05d}.jpg'
    bad.chmod(0o644)
    bad.write_bytes(bad.read_bytes()[:-400])
    savemat(tmp_path / 'joints.mat', dict(joints=loadmat(source / 'joints.mat')['joints'].astype(np.float64)))
    (tmp_path / 'ids.txt').write_text('\n'.join(map(str, numbers)))
    runner = Runner(
        default_scope='mmpose',
        model=tiny_model(),
        work_dir=str(tmp_path / 'run'),
        train_dataloader=dict(
            batch_size=2,
            num_workers=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='LSPDataset',
                ann_file=str(tmp_path / 'joints.mat'),
                id_file=str(tmp_path / 'ids.txt'),
                data_prefix=dict(img=str(images)),
                max_bad_images=0.2,
                pipeline=[dict(type='LoadVerifiedImage'), *CROP, TARGETS, PACK],
            ),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[dict(type='SkippedSamplesHook')],
        experiment_name=tmp_path.name,
    )
    runner.train()
    assert runner.iter == 8 and runner.train_dataloader.dataset.num_skipped == 1
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    reported = [line for line in log.splitlines() if 'left out of training so far' in line]
    assert len(reported) == 1  # the second epoch has nothing new to report
    assert reported[0].endswith('1 images that could not be decoded (num_skipped)')
    assert MMLogger.get_current_instance() is runner.logger
