"""tools/misc/strip_discriminators.py on a real checkpoint, and what mmpose makes of the result."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import MODELS

TOOL = 'misc/strip_discriminators.py'


def test_mmpose_loads_what_is_left(main, adversarial_run, adversarial_config, tmp_path, capsys):
    source, out = adversarial_run / 'epoch_2.pth', tmp_path / 'generator.pth'
    main(TOOL, source, '--out', out)
    assert capsys.readouterr().out.startswith(f'{out}: ')
    full, kept = (torch.load(path, weights_only=True) for path in (source, out))
    assert set(kept) == {'meta', 'state_dict'} and kept['meta'].keys() == full['meta'].keys()
    assert kept['meta']['cfg'] == full['meta']['cfg'] and kept['meta']['epoch'] == 2
    assert out.stat().st_size < source.stat().st_size / 3

    init_default_scope('mmpose')
    config = Config.fromfile(str(adversarial_config))
    config.model.pop('adversarial')
    config.model.pop('discriminators')
    config.model.type = 'TopdownPoseEstimator'
    MODELS.build(config.model).load_state_dict(kept['state_dict'], strict=True)
    image = torch.randint(0, 255, (90, 70, 3), generator=torch.Generator().manual_seed(0)).byte().numpy()
    found = [
        inference_topdown(init_model(cfg, str(path), device='cpu'), image)[0].pred_instances.keypoints
        for cfg, path in ((config, out), (str(adversarial_config), source), (str(adversarial_config), out))
    ]
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_the_default_name(main, adversarial_run):
    main(TOOL, adversarial_run / 'epoch_1.pth')
    assert (adversarial_run / 'epoch_1_generator.pth').is_file()
    assert not list(adversarial_run.glob('.*'))


def test_errors_are_one_line_and_leave_nothing(main, adversarial_run, tmp_path):
    text, plain = tmp_path / 'text.pth', tmp_path / 'plain.pth'
    text.write_text('no checkpoint')
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), plain)
    same = adversarial_run / 'epoch_2.pth'
    before = sorted(tmp_path.iterdir())
    for args, message in [
        ([tmp_path / 'gone.pth'], 'gone.pth: no such file'),
        ([text], 'truncated or not a checkpoint'),
        ([plain], 'plain.pth: it has no discriminators: none of its 1 weights'),
        ([same, '--out', same], 'is the checkpoint itself'),
    ]:
        with pytest.raises(SystemExit, match=f'^strip_discriminators.py: error: .*{message}'):
            main(TOOL, *args)
    assert sorted(tmp_path.iterdir()) == before
