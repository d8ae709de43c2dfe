"""tools/analysis/diagnose_discriminators.py on a real checkpoint."""

import json

import pytest

TOOL = 'analysis/diagnose_discriminators.py'


def test_figures_of_both_discriminators(main, adversarial_run, adversarial_config, tmp_path, capsys):
    flags = ('--max-item-num', 4, '--batch-size', 3, '--device', 'cpu', '--out', tmp_path / 'figures.json')
    main(TOOL, adversarial_config, adversarial_run / 'epoch_2.pth', *flags)
    found = json.loads((tmp_path / 'figures.json').read_text())['discriminators']
    assert found.keys() == {'pose', 'confidence'}
    for values in found.values():
        # four figures of 14 joints at most, and weights below 0.01
        assert 0 < values['joints'] <= 56 and 0 < values['score_real'] < 1
        assert 0 <= values['grad_share'] < 0.01 * values['grad_ratio'] + 1e-12
    assert 'auroc_real' in capsys.readouterr().out


def test_a_model_without_discriminators_is_refused(main, adversarial_run, adversarial_config):
    options = ('--device', 'cpu', '--cfg-options', 'model.discriminators=None')
    with pytest.raises(SystemExit, match='^diagnose_discriminators.py: error: .*the model has no discriminators'):
        main(TOOL, adversarial_config, adversarial_run / 'epoch_2.pth', *options)
