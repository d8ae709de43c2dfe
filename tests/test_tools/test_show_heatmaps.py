"""tools/analysis/show_heatmaps.py: images of a real checkpoint, with and without discriminators."""

import cv2
import numpy as np
import pytest

TOOL = 'analysis/show_heatmaps.py'


def test_images_with_scores(main, adversarial_run, adversarial_config, tmp_path, capsys):
    out = ('--output-dir', tmp_path / 'out', '--device', 'cpu')
    main(TOOL, adversarial_config, adversarial_run / 'epoch_2.pth', '--indices', 1, 3, *out)
    assert f'2 images in {tmp_path / "out"}, with scores of P and C' in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['000001.png', '000003.png']
    with_bars = cv2.imread(str(tmp_path / 'out' / '000003.png'))

    main('misc/strip_discriminators.py', adversarial_run / 'epoch_2.pth', '--out', tmp_path / 'stripped.pth')
    out = ('--output-dir', tmp_path / 'bare', '--device', 'cpu')
    main(TOOL, adversarial_config, tmp_path / 'stripped.pth', '--indices', 3, *out)
    assert 'no discriminator: the checkpoint has none' in capsys.readouterr().out
    bare = cv2.imread(str(tmp_path / 'bare' / '000003.png'))
    # two bars of 16 pixels less in each of the two rows of tiles, and the same above
    assert with_bars.shape[0] - bare.shape[0] == 2 * 2 * 16 and with_bars.shape[1] == bare.shape[1]
    np.testing.assert_array_equal(with_bars[:400], bare[:400])


def test_a_model_of_mmpose_and_the_training_persons(main, tmp_path, capsys):
    import torch
    from mmpose.registry import MODELS

    from posestructs.utils.cli import load_config
    from tests.helpers import repo_root

    config = repo_root() / 'configs' / 'demo' / 'td-hm_res18-small_stick-figure-64x64.py'
    torch.save(dict(state_dict=MODELS.build(load_config(str(config)).model).state_dict()), tmp_path / 'a.pth')
    flags = ('--phase', 'train', '--max-item-num', 1, '--output-dir', tmp_path / 'out', '--device', 'cpu')
    main(TOOL, config, tmp_path / 'a.pth', *flags)
    assert '1 image in' in capsys.readouterr().out and (tmp_path / 'out' / '000000.png').stat().st_size > 10000


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--indices', 99], r'--indices \[99\]: the data set has samples 0 to 3'),
        (['--max-item-num', 0], '--max-item-num 0, allowed: at least 1'),
        (['--cfg-options', 'val_dataloader=None'], 'sets no val_dataloader'),
        (['--cfg-options', 'model.head.decoder=None'], 'sets no model.head.decoder'),
    ],
)
def test_errors_are_one_line(main, adversarial_run, adversarial_config, tmp_path, flags, message):
    with pytest.raises(SystemExit, match=f'^show_heatmaps.py: error: .*{message}'):
        main(TOOL, adversarial_config, adversarial_run / 'epoch_2.pth', '--output-dir', tmp_path / 'x', *flags)
    assert not (tmp_path / 'x').exists()


def test_a_checkpoint_of_another_model_is_refused(main, adversarial_run, adversarial_config, tmp_path):
    wider = ('--cfg-options', 'model.head.in_channels=16', 'model.backbone.channels=16')
    with pytest.raises(SystemExit, match='^show_heatmaps.py: error: checkpoint .* does not match config'):
        main(TOOL, adversarial_config, adversarial_run / 'epoch_2.pth', '--output-dir', tmp_path / 'x', *wider)


def test_a_file_that_is_no_checkpoint(main, adversarial_config, tmp_path):
    (tmp_path / 'text.pth').write_text('nothing')
    with pytest.raises(SystemExit, match='text.pth: it is truncated or not a checkpoint'):
        main(TOOL, adversarial_config, tmp_path / 'text.pth')
    with pytest.raises(SystemExit, match='CHECKPOINT gone.pth: no such file'):
        main(TOOL, adversarial_config, 'gone.pth')
